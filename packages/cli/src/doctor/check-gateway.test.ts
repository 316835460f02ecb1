import { isDecisionProbe } from '@tessera/protocol';
import { expect, test } from 'vitest';
import { checkGateway, type CheckAnswer, type CheckRequest } from './check-gateway.ts';

const marker = 'm4rk3r';
const check = (answer: (request: CheckRequest) => Partial<CheckAnswer>, more = {}) =>
  checkGateway({
    send: async (request) => ({ status: 200, headers: {}, text: '', ...answer(request) }),
    url: 'https://docs.example.app/',
    marker,
    credential: 'x',
    ...more,
  });
const found = async (findings: ReturnType<typeof check>, wanted: string) =>
  (await findings).filter((finding) => finding.found === wanted).map(({ check: name }) => name);

test('a proxy that asks nobody is open, and what cannot be told is unproven', async () => {
  const findings = check(({ headers }) => ({ text: JSON.stringify(headers) }));
  expect(await found(findings, 'closed')).toEqual([]);
  expect(await found(findings, 'open')).toEqual([
    'a stranger is sent to sign in',
    'a program without a session is refused',
    'an unknown host is refused',
    'a malformed session is none',
    'nobody deciding is nobody passing',
    "the gateway's own folder leads to the gateway",
  ]);
});

test('a proxy that leaves a spelling, or lets Connection take ours away, is open', async () => {
  const findings = check(
    ({ headers }) => {
      const connection = headers.find(([name]) => name === 'connection')?.[1] ?? '';
      const ours = connection.includes('x-vercel-id') ? [] : [['x-vercel-id', 'ours']];
      const kept = headers.filter(([name]) => !/^x-vercel/i.test(name));
      return { text: JSON.stringify([...kept, ...ours]) };
    },
    { passing: [['cookie', 'a=b']] },
  );
  const open = (await findings).filter(({ found: each }) => each === 'open');
  const about = (name: string) => open.find(({ check: each }) => each.startsWith(name))?.detail;
  expect(about('identity headers')).toContain('x_vercel_oidc_token');
  expect(about('our own headers')).toContain('gone');
});

test('a refusal by a decision is no proof of what happens without one', async () => {
  const findings = await check(() => ({ status: 401, headers: { 'x-vercel-error': 'SIGN_IN_REQUIRED' } }));
  expect(findings.find(({ check: name }) => name.startsWith('nobody deciding'))?.found).toBe('unproven');
});

test('a probe is sent with a proof by the credential, and never without one', async () => {
  const probes: string[] = [];
  const answer = ({ headers }: CheckRequest) => {
    const probe = headers.find(([name]) => name === 'x-vercel-decision-probe')?.[1];
    if (probe === undefined) return { status: 200 };
    probes.push(probe);
    return { status: 502 };
  };
  const about = (findings: Awaited<ReturnType<typeof check>>) =>
    findings.find(({ check: name }) => name.startsWith('nobody deciding'))?.found;
  expect(about(await check(answer, { credential: undefined }))).toBe('unproven');
  expect(probes).toEqual([]);
  expect(about(await check(answer))).toBe('closed');
  expect(await isDecisionProbe(probes[0] ?? '', 'x', Date.now())).toBe(true);
});

test('no answer at all is unproven', async () => {
  const findings = check(() => {
    throw new Error('connection refused');
  });
  expect(await found(findings, 'unproven')).toHaveLength(16);
});

test('a decision listener that hands out a token with a refusal is open', async () => {
  const findings = check(() => ({ status: 401, headers: { 'x-vercel-oidc-token': 'eyJ' } }), {
    decisions: { url: 'http://127.0.0.1:4002' },
    credential: 'x',
  });
  expect((await found(findings, 'open')).filter((name) => name.startsWith('the decision'))).toHaveLength(8);
});
