import { requireEnvironment } from '../listen.ts';
import { startExpressApp } from './app.ts';

const { url } = await startExpressApp({
  port: Number(process.env['PORT'] ?? 4201),
  issuer: process.env['ISSUER'] ?? 'http://localhost:4000',
  clientId: requireEnvironment('CLIENT_ID'),
  clientSecret: requireEnvironment('CLIENT_SECRET'),
  sessionSecret: requireEnvironment('SESSION_SECRET'),
});
console.log(`listening: ${url}`);
