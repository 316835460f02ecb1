import { requireEnvironment } from '../listen.ts';
import { startHonoApp } from './app.ts';

const { url } = await startHonoApp({
  port: Number(process.env['PORT'] ?? 4202),
  issuer: process.env['ISSUER'] ?? 'http://localhost:4000',
  clientId: requireEnvironment('CLIENT_ID'),
  clientSecret: requireEnvironment('CLIENT_SECRET'),
  sessionSecret: requireEnvironment('SESSION_SECRET'),
});
console.log(`listening: ${url}`);
