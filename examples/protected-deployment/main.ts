import { requireEnvironment } from '../listen.ts';
import { startProtectedDeployment } from './server.ts';

const { url } = await startProtectedDeployment({
  port: Number(process.env['PORT'] ?? 4300),
  passportIssuer: requireEnvironment('PASSPORT_ISSUER'),
  passportAudience: requireEnvironment('PASSPORT_AUDIENCE'),
  verifyingApiUrl: process.env['VERIFYING_API_URL'] ?? 'http://localhost:4400',
});
console.log(`listening: ${url}`);
