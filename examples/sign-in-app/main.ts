import { requireEnvironment } from '../listen.ts';
import { startSignInApp } from './app.ts';

const { url } = await startSignInApp({
  port: Number(process.env['PORT'] ?? 4200),
  issuer: process.env['ISSUER'] ?? 'http://localhost:4000',
  clientId: requireEnvironment('CLIENT_ID'),
  clientSecret: requireEnvironment('CLIENT_SECRET'),
});
console.log(`listening: ${url}`);
