import { requireEnvironment } from '../listen.ts';
import { startSinglePageApp } from './server.ts';

const { url } = await startSinglePageApp({
  port: Number(process.env['PORT'] ?? 4203),
  issuer: process.env['ISSUER'] ?? 'http://localhost:4000',
  clientId: requireEnvironment('CLIENT_ID'),
});
console.log(`listening: ${url}`);
