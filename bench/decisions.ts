import { randomBytes } from 'node:crypto';
import { findFreePort } from '../tests/harness/free-port.ts';
import type { AskedRequest } from './rounds.ts';

/** A listener for decisions, and the request of a front proxy (forward auth) that asks there about any host. */
export async function prepareDecisions(): Promise<{
  variables: Readonly<Record<string, string>>;
  requestAbout(host: string, more?: Readonly<Record<string, string>>): AskedRequest;
}> {
  const port = await findFreePort();
  const credential = randomBytes(32).toString('base64url');
  return {
    variables: {
      TESSERA_DECISION_LISTEN: `127.0.0.1:${port}`,
      TESSERA_DECISION_PROXIES: `bench:${credential}=*.app.localhost`,
    },
    requestAbout: (host, more = {}) => ({
      url: `http://127.0.0.1:${port}/decide/forward-auth`,
      method: 'GET',
      headers: {
        'x-vercel-decision-credential': credential,
        'x-forwarded-method': 'GET',
        'x-forwarded-proto': 'http',
        'x-forwarded-host': host,
        'x-forwarded-uri': '/a/page',
        'x-forwarded-for': '203.0.113.7',
        ...more,
      },
    }),
  };
}
