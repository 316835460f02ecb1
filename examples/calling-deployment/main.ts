import { requireEnvironment } from '../listen.ts';
import { startCallingDeployment } from './server.ts';

const { url } = await startCallingDeployment({
  port: Number(process.env['PORT'] ?? 4500),
  oidc: requireEnvironment('OIDC'),
  apiUrl: requireEnvironment('API_URL'),
  audience: requireEnvironment('AUDIENCE'),
});
console.log(`listening: ${url}`);
