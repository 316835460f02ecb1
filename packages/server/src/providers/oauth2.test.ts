import { expect, it } from 'vitest';
import { ProviderFailure } from '#connectors';
import { readTokens, readPerson } from './oauth2.ts';

const json = (body: unknown, status = 200) => Response.json(body, { status });
const text = (body: string, status = 200) => new Response(body, { status });

async function failureOf(answer: Promise<unknown>): Promise<ProviderFailure> {
  const error: unknown = await answer.then(
    (value) => new Error(`nothing failed: ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof ProviderFailure) return error;
  throw error;
}

it('reads a bearer token, and nothing else of the answer', async () => {
  const answer = { access_token: 'gho_x', token_type: 'bearer', scope: '', id_token: 'not.read.here' };
  expect(await readTokens(json(answer))).toEqual({ accessToken: 'gho_x' });
});

it('sees a refusal that comes with status 200', async () => {
  const cases = [
    ['bad_verification_code', 'redirect URI'],
    ['incorrect_client_credentials', 'client secret'],
    ['redirect_uri_mismatch', 'redirect URI'],
  ];
  for (const [error, mend] of cases) {
    const failure = await failureOf(readTokens(json({ error, error_description: 'GEHEIM' })));
    expect(failure).toMatchObject({
      step: 'code_exchange',
      mend: expect.stringContaining(mend ?? '') as string,
    });
    expect(JSON.stringify(failure)).not.toContain('GEHEIM');
  }
});

it.each([
  ['no JSON', text('access_token=gho_x&token_type=bearer')],
  ['a list', json([])],
  ['another kind of token', json({ access_token: 'x', token_type: 'mac' })],
  ['an empty token', json({ access_token: '', token_type: 'bearer' })],
  ['a token with status 500', json({ access_token: 'x', token_type: 'bearer' }, 500)],
  ['nothing', text('')],
])('refuses %s as an answer to a code', async (_, response) => {
  expect((await failureOf(readTokens(response))).step).toBe('code_exchange');
});

it('takes a text as it is, and a whole number by its digits', async () => {
  const principals: [string, string][] = [
    ['{"id":583231}', '583231'],
    ['{"id":0}', '0'],
    ['{"id":1e3}', '1000'],
    ['{"id":9007199254740991}', '9007199254740991'],
    ['{"id":"583231"}', '583231'],
    ['{"id":" a:b/c "}', ' a:b/c '],
  ];
  for (const [body, principal] of principals) {
    expect((await readPerson({ subjectClaim: 'id' }, text(body))).externalSub, body).toBe(principal);
  }
});

it('refuses a name that two people could share, or that is none', async () => {
  const bodies = [
    '{"id":9007199254740992}',
    '{"id":9007199254740993}',
    '{"id":1e400}',
    '{"id":1.5}',
    '{"id":true}',
    '{"id":null}',
    '{"id":""}',
    '{"id":[583231]}',
    '{"id":{"value":1}}',
    `{"id":"${'x'.repeat(256)}"}`,
    '{"login":"octocat"}',
    '[{"id":1}]',
    '"id"',
    'not JSON',
    '',
  ];
  for (const body of bodies) {
    expect((await failureOf(readPerson({ subjectClaim: 'id' }, text(body)))).step, body).toBe('userinfo');
  }
});

it('finds no name in what every object has', async () => {
  for (const subjectClaim of ['constructor', '__proto__', 'toString']) {
    expect((await failureOf(readPerson({ subjectClaim }, text('{}')))).received).toContain('missing');
  }
});

it('refuses userinfo that the provider refuses', async () => {
  expect((await failureOf(readPerson({ subjectClaim: 'id' }, json({ id: 1 }, 403)))).received).toContain(
    '403',
  );
});
