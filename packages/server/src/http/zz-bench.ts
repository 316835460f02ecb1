import { createHostTable, listen, newDoor, oauthAnswer, readForm } from '#http';
import { createSilentLogger } from '#logger';
const d = newDoor('oauth');
d.post('/login/oauth/token', async (c) => { const f = await readForm(c); return c.json({ active: f.has('token') }, 200, { 'cache-control': 'no-store', pragma: 'no-cache' }); });
const table = createHostTable([{ base: 'http://localhost:4999', doors: [], errors: oauthAnswer }, { base: 'http://localhost:4999/api', doors: [d], errors: oauthAnswer }] as never);
await listen({ host: '127.0.0.1', port: 4999, findApplication: table.find, gateway: {} as never, clientAddress: () => '127.0.0.1', requestIdHeader: 'x-vercel-id', logger: createSilentLogger() });
console.log('ok'); process.on('SIGTERM', () => process.exit(0));
