import { requireEnvironment } from '../listen.ts';
import { signInOnDevice } from './sign-in-on-device.ts';

const { person } = await signInOnDevice({
  issuer: process.env['ISSUER'] ?? 'http://localhost:4000',
  clientId: requireEnvironment('CLIENT_ID'),
  show: ({ address, code }) => console.log(`Open ${address} and enter ${code}`),
});
console.log(`Signed in: ${person.name} <${person.email}>`);
