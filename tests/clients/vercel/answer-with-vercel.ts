// A deployment that reads its visitor and its own identity with the unmodified packages, without handing them the
// request: the adapter of @tessera/oidc has set the context. Beside it, what ours say of the same request.
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { honoRequestContext, registerRequestContext } from '@tessera/oidc/request-context';
import { getIdentity as getOurIdentity } from '@tessera/passport';
import { getVercelOidcToken } from '@vercel/oidc';
import { getIdentity, verifyIdentity } from '@vercel/passport';
import { Hono } from 'hono';
import { decodeJwt } from 'jose';
import { listen } from '../../../examples/listen.ts';

async function describe<Found>(asking: Promise<Found>): Promise<Found | { error: string }> {
  return asking.catch((error: unknown) => ({ error: String(error) }));
}

async function answer(request: Request): Promise<unknown> {
  const token = request.headers.get('x-verify') ?? '';
  return {
    identity: await describe(getIdentity()),
    ours: await describe(getOurIdentity()),
    workload: await describe(getVercelOidcToken().then((own) => decodeJwt(own).sub)),
    verified: token === '' ? null : await describe(verifyIdentity(token)),
  };
}

const app = new Hono();
if (process.env['SERVER'] === 'hono') app.use(honoRequestContext());
else registerRequestContext();
app.get('/', async (c) => c.json((await answer(c.req.raw)) as object));
const onRequest = getRequestListener(app.fetch);
const { url } = await listen(
  createServer((request, response) => void onRequest(request, response)),
  0,
);
console.log(`listening: ${url}`);
