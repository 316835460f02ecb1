import type { testConnectorAnswer } from '@tessera/contract';
import { authorizationCodeGrantRequest, validateAuthResponse } from 'oauth4webapi';
import type { output } from 'zod';
import { ProviderFailure, redirectUriOf, type Connector } from '#connectors';
import { signatureAlgorithms } from '#remote-keys';
import { findUsableKeys } from './connector-check.ts';
import { textOf } from './diagnosis.ts';
import { discover, type Discovery } from './discovery.ts';
import { readFailure, refusalOf } from './failure-reading.ts';
import { providerNow, show } from './id-token.ts';
import { refusedAnswer } from './oauth2.ts';
import type { ProvidersNeeds } from './providers.ts';
import { createSpeech } from './speech.ts';

/** What a step found: well, unless it could not tell. */
type Checked<Answer> = { detail: string; outcome?: 'skipped'; answer?: Answer };

type Report = Omit<output<typeof testConnectorAnswer>, 'live'>;

const maximumClockDifferenceSeconds = 30;

/**
 * Tests a connector without a person: what its provider publishes, and whether it takes our credentials. All steps
 * run that can, so that one test shows all that is wrong.
 */
export async function testConnection(needs: ProvidersNeeds, connector: Connector): Promise<Report> {
  const steps: Report['steps'] = [];
  const run = async <Answer>(step: string, check: () => Promise<Checked<Answer>>) => {
    const begun = performance.now();
    const milliseconds = () => Math.round(performance.now() - begun);
    try {
      const { detail, outcome = 'ok', answer } = await check();
      steps.push({ step, outcome, milliseconds: milliseconds(), detail, mend: null });
      return answer;
    } catch (error) {
      const failure = readFailure('document', error);
      if (!(failure instanceof ProviderFailure)) throw error;
      steps.push({
        step,
        outcome: 'failed',
        milliseconds: milliseconds(),
        detail: textOf(failure),
        mend: failure.mend,
      });
      return undefined;
    }
  };
  const skip = (step: string, detail: string) =>
    steps.push({ step, outcome: 'skipped', milliseconds: 0, detail, mend: null });

  const { jwksUri } = connector;
  const discovery = await run<Discovery>('discovery', async () => ({
    detail: `${connector.issuer} publishes its discovery document and names itself exactly so.`,
    answer: await discover(needs.fetch, connector),
  }));
  if (discovery) {
    await run('endpoints', async () => validateUnchanged(connector, discovery));
    if (jwksUri !== undefined) await run('algorithms', async () => validateAlgorithms(connector, discovery));
    await run('clock', async () => validateClock(providerNow(needs.clock), discovery.providerTime));
  } else {
    for (const step of ['endpoints', 'algorithms', 'clock'])
      skip(step, 'There is no discovery document to compare with.');
  }
  if (jwksUri === undefined) {
    skip('keys', 'Without OpenID Connect there is no ID token to verify.');
  } else {
    await run('keys', async () => {
      const usable = await findUsableKeys(needs.remoteKeys, jwksUri, connector.idTokenSigningAlgorithms);
      return { detail: `${usable} of the published keys can verify ID tokens.` };
    });
  }
  steps.push(judgeMixUp(connector, redirectUriOf(needs.connectUrl, connector)));
  await run('credentials', () => probeCredentials(needs, connector));
  skip('sign_in', 'A sign-in takes a person: test with {"live":true} and open the address that is answered.');
  return { ok: steps.every(({ outcome }) => outcome !== 'failed'), steps };
}

function validateUnchanged(connector: Connector, { metadata }: Discovery) {
  const names = ['authorizationEndpoint', 'tokenEndpoint', 'jwksUri', 'userinfoEndpoint'] as const;
  const differing = names.filter(
    (name) =>
      connector[name] !== undefined &&
      connector[name] !== metadata[name] &&
      // RFC 8414 knows no userinfo: what the metadata does not say, nobody can compare.
      (connector.type === 'oidc' || metadata[name] !== undefined),
  );
  if (differing.length > 0) {
    throw new ProviderFailure('endpoints', {
      received: `${differing.join(', ')} that the provider's discovery names otherwise`,
      expected: 'the endpoints of the discovery document',
      mend: 'Take the endpoints from Discover, unless the others are meant.',
    });
  }
  return { detail: 'All endpoints are those of the discovery document.' };
}

function validateAlgorithms(connector: Connector, { metadata }: Discovery) {
  const offered = metadata.idTokenSigningAlgValuesSupported.filter((one) =>
    signatureAlgorithms.includes(one),
  );
  const both = offered.filter((one) => connector.idTokenSigningAlgorithms.includes(one));
  if (both.length === 0) {
    throw new ProviderFailure('algorithms', {
      received: metadata.idTokenSigningAlgValuesSupported.join(', '),
      expected: `one of ${connector.idTokenSigningAlgorithms.join(', ')}`,
      mend: 'Save the connector again, so that it takes over what the provider now offers.',
    });
  }
  return { detail: `ID tokens may be signed with ${both.join(', ')}.` };
}

/** Whether an answer of another provider can be told from one of this (RFC 9700 section 4.4). */
function judgeMixUp(connector: Connector, redirectUri: string): Report['steps'][number] {
  const step = { step: 'response_issuer', milliseconds: 0, mend: null };
  if (connector.usesOwnRedirectUri) {
    return {
      ...step,
      outcome: 'ok',
      detail: `Answers come at ${redirectUri}, which no other connector has.`,
    };
  }
  if (connector.authorizationResponseIssParameterSupported) {
    return {
      ...step,
      outcome: 'ok',
      detail: `The provider names itself in its answers, which come at ${redirectUri}.`,
    };
  }
  return {
    ...step,
    outcome: 'skipped',
    detail: `The provider does not name itself in its answers, and they come at ${redirectUri} like those of other connectors: an answer that was led here by another provider looks the same.`,
    mend: "Register the connector's ownRedirectUri at the provider in place of this one, then say usesOwnRedirectUri: true.",
  };
}

function validateClock(now: number, providerTime: number | undefined) {
  if (providerTime === undefined) return { detail: 'The provider did not say its time.' };
  const seconds = Math.round((providerTime - now) / 1000);
  if (Math.abs(seconds) > maximumClockDifferenceSeconds) {
    throw new ProviderFailure('document', {
      received: `a clock that is ${Math.abs(seconds)} seconds ${seconds > 0 ? 'ahead of' : 'behind'} ours`,
      expected: `at most ${maximumClockDifferenceSeconds} seconds of difference`,
      mend: 'Set the clocks: that of the identity provider, or that of this server, is wrong.',
    });
  }
  return {
    detail:
      seconds === 0
        ? "The provider's clock agrees with ours."
        : `The provider's clock differs by ${Math.abs(seconds)} s.`,
  };
}

/** What providers say to a code that never was, once they know the client. */
const codeRefusals: ReadonlySet<string> = new Set(['invalid_grant', 'bad_verification_code']);
const clientRefusals: ReadonlySet<string> = new Set([
  'invalid_client',
  'unauthorized_client',
  'incorrect_client_credentials',
]);

/** Presents a code that never was: a provider that refuses the code, and not the client, knows the client. */
async function probeCredentials(needs: ProvidersNeeds, connector: Connector): Promise<Checked<never>> {
  const { server, client, options, authentication } = await createSpeech(needs)(connector);
  const response = await authorizationCodeGrantRequest(
    server,
    client,
    authentication,
    // The library takes only parameters that it has looked at; that no sign-in stands behind them is the point.
    validateAuthResponse(server, client, madeUpAnswer(connector), 'connection-test'),
    redirectUriOf(needs.connectUrl, connector),
    'tessera-connection-test-tessera-connection-test',
    options,
  );
  const body: unknown = await response.json().catch(() => undefined);
  const error = refusedAnswer.safeParse(body).data?.error;
  if (error !== undefined && codeRefusals.has(error)) {
    return { detail: `The provider knows the client (it answered "${error}" to a made-up code).` };
  }
  if (response.ok && error === undefined) {
    throw new ProviderFailure('code_exchange', {
      received: 'no refusal of a code that never was',
      expected: 'invalid_grant',
      mend: 'Check the token endpoint; a provider that gives tokens for anything must not be used.',
    });
  }
  if (error === undefined || clientRefusals.has(error) || response.status === 401 || response.status >= 500) {
    throw refusalOf('code_exchange', error, response.status, undefined);
  }
  return {
    outcome: 'skipped',
    detail: `The provider answered ${show(error)} to a made-up code, which does not tell whether it knows the client; a live sign-in does.`,
  };
}

function madeUpAnswer({ issuer }: Connector): URLSearchParams {
  return new URLSearchParams({ code: 'tessera-connection-test', state: 'connection-test', iss: issuer });
}
