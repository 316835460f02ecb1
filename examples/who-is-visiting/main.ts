import { requireEnvironment } from '../listen.ts';
import { startExpressApp } from './express.ts';
import { startHonoApp } from './hono.ts';
import { startNodeApp } from './node.ts';

const starts = { node: startNodeApp, express: startExpressApp, hono: startHonoApp };
const start = starts[(process.env['SERVER'] ?? 'node') as keyof typeof starts];
const { url } = await start({
  port: Number(process.env['PORT'] ?? 4310),
  issuer: requireEnvironment('PASSPORT_ISSUER'),
  audience: requireEnvironment('PASSPORT_AUDIENCE'),
});
console.log(`listening: ${url}`);
