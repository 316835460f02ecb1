// `import '@tessera/oidc/register'`, or `node --import @tessera/oidc/register app.js`.
import { registerRequestContext } from './request-context.ts';

registerRequestContext();
