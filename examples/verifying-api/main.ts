import { requireEnvironment } from '../listen.ts';
import { startVerifyingApi } from './server.ts';

const { url } = await startVerifyingApi({
  port: Number(process.env['PORT'] ?? 4400),
  issuer: requireEnvironment('ISSUER'),
  audience: requireEnvironment('AUDIENCE'),
  subject: requireEnvironment('SUBJECT'),
});
console.log(`listening: ${url}`);
