import { requireEnvironment } from '../listen.ts';
import { startIdentityProvider } from './provider.ts';

const { url } = await startIdentityProvider({
  port: Number(process.env['PORT'] ?? 4100),
  clientId: process.env['CLIENT_ID'] ?? 'tessera',
  clientSecret: requireEnvironment('CLIENT_SECRET'),
  redirectUri: requireEnvironment('REDIRECT_URI'),
  person: {
    username: process.env['LOGIN_USERNAME'] ?? 'grace',
    password: requireEnvironment('LOGIN_PASSWORD'),
    sub: process.env['LOGIN_SUB'] ?? 'staff|grace',
    email: process.env['LOGIN_EMAIL'] ?? 'grace@corp.example',
    name: process.env['LOGIN_NAME'] ?? 'Grace Hopper',
    groups: ['staff'],
  },
});
console.log(`listening: ${url}`);
