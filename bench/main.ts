import { parseArgs } from 'node:util';
import type { Figure } from './figure.ts';
import { clientCredentials, clientCredentialsOfMany } from './figures/client-credentials.ts';
import { codeExchange } from './figures/code-exchange.ts';
import { decision } from './figures/decision.ts';
import { gatewayBesideCaddy } from './figures/gateway-caddy.ts';
import { gatewayStream } from './figures/gateway-stream.ts';
import { gateway } from './figures/gateway.ts';
import { growth } from './figures/growth.ts';
import { hosts } from './figures/hosts.ts';
import { introspection } from './figures/introspection.ts';
import { mint } from './figures/mint.ts';
import { refresh } from './figures/refresh.ts';
import { start } from './figures/start.ts';
import { userinfo } from './figures/userinfo.ts';
import { formatJson, formatTable } from './print.ts';

const figures: Readonly<Record<string, Figure>> = {
  start,
  'client-credentials': clientCredentials,
  'client-credentials-256': clientCredentialsOfMany,
  introspection,
  userinfo,
  refresh,
  'code-exchange': codeExchange,
  mint,
  gateway,
  'gateway-caddy': gatewayBesideCaddy,
  'gateway-stream': gatewayStream,
  decision,
  hosts,
  growth,
};

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean' }, count: { type: 'string' } },
  allowPositionals: true,
});
const [name = ''] = positionals;
const figure = figures[name];
if (figure === undefined) {
  console.error(`There is no figure "${name}". Choose one of: ${Object.keys(figures).join(', ')}`);
  process.exitCode = 2;
} else {
  // Whatever the ratio, the status is 0: a bench tells, it does not judge.
  const count = values.count === undefined ? undefined : parseCount(values.count);
  const results = [await figure((line) => console.error(line), count)].flat();
  const format = values.json === true ? formatJson : formatTable;
  console.log(results.map(format).join(values.json === true ? '\n' : '\n\n'));
}

function parseCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Error(`--count: received "${text}". Expected a whole number from 1 to 999999999.`);
}
