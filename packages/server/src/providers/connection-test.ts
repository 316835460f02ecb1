import type { testConnectorAnswer } from '@tessera/contract';
import {
  genericTokenEndpointRequest,
  processGenericTokenEndpointResponse,
  ResponseBodyError,
} from 'oauth4webapi';
import type { output } from 'zod';
import { ProviderFailure, signatureAlgorithms, type Connector } from '#connectors';
import { findUsableKeys } from './connector-check.ts';
import { discover, type Discovery } from './discovery.ts';
import { readFailure } from './failure-reading.ts';
import { providerNow } from './id-token.ts';
import { createSpeech, type ProvidersNeeds } from './providers.ts';

type Report = output<typeof testConnectorAnswer>;

const maximumClockDifferenceSeconds = 30;

/**
 * Tests a connector without a person: what its provider publishes, and whether it takes our credentials. All steps
 * run that can, so that one test shows all that is wrong.
 */
export async function testConnection(needs: ProvidersNeeds, connector: Connector): Promise<Report> {
  const steps: Report['steps'] = [];
  const run = async <Answer>(step: string, check: () => Promise<{ detail: string; answer?: Answer }>) => {
    const begun = performance.now();
    const milliseconds = () => Math.round(performance.now() - begun);
    try {
      const { detail, answer } = await check();
      steps.push({ step, outcome: 'ok', milliseconds: milliseconds(), detail, mend: null });
      return answer;
    } catch (error) {
      const failure = readFailure('discovery', error);
      if (!(failure instanceof ProviderFailure)) throw error;
      const detail = `Received ${failure.received}. Expected ${failure.expected}.`;
      steps.push({ step, outcome: 'failed', milliseconds: milliseconds(), detail, mend: failure.mend });
      return undefined;
    }
  };
  const skip = (step: string, detail: string) =>
    steps.push({ step, outcome: 'skipped', milliseconds: 0, detail, mend: null });

  const discovery = await run<Discovery>('discovery', async () => ({
    detail: `${connector.issuer} publishes its discovery document and names itself exactly so.`,
    answer: await discover(needs.fetch, connector.issuer),
  }));
  if (discovery) {
    await run('endpoints', async () => validateUnchanged(connector, discovery));
    await run('algorithms', async () => validateAlgorithms(connector, discovery));
    await run('clock', async () => validateClock(providerNow(needs.clock), discovery.providerTime));
  } else {
    for (const step of ['endpoints', 'algorithms', 'clock'])
      skip(step, 'There is no discovery document to compare with.');
  }
  await run('keys', async () => {
    const usable = await findUsableKeys(
      needs.remoteKeys,
      connector.jwksUri,
      connector.idTokenSigningAlgorithms,
    );
    return { detail: `${usable} of the published keys can verify ID tokens.` };
  });
  await run('credentials', () => probeCredentials(needs, connector));
  skip('sign_in', 'A live sign-in is not part of this test yet: open a protected deployment to try one.');
  return { ok: steps.every(({ outcome }) => outcome !== 'failed'), steps };
}

function validateUnchanged(connector: Connector, { metadata }: Discovery) {
  const names = ['authorizationEndpoint', 'tokenEndpoint', 'jwksUri', 'userinfoEndpoint'] as const;
  const differing = names.filter(
    (name) => connector[name] !== undefined && connector[name] !== metadata[name],
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

function validateClock(now: number, providerTime: number | undefined) {
  if (providerTime === undefined) return { detail: 'The provider did not say its time.' };
  const seconds = Math.round((providerTime - now) / 1000);
  if (Math.abs(seconds) > maximumClockDifferenceSeconds) {
    throw new ProviderFailure('discovery', {
      received: `a clock that is ${Math.abs(seconds)} seconds ${seconds > 0 ? 'ahead of' : 'behind'} ours`,
      expected: `at most ${maximumClockDifferenceSeconds} seconds of difference`,
      mend: 'Set the clocks: that of the identity provider, or that of this server, is wrong.',
    });
  }
  return { detail: `The provider's clock differs by ${Math.abs(seconds)} seconds.` };
}

/** Presents a code that never was: a provider that refuses the code, and not the client, knows the client. */
async function probeCredentials(needs: ProvidersNeeds, connector: Connector) {
  try {
    const { server, client, options, authentication } = await createSpeech(needs)(connector);
    const parameters = {
      code: 'tessera-connection-test',
      redirect_uri: needs.redirectUri,
      code_verifier: 'tessera-connection-test-tessera-connection-test',
    };
    const response = await genericTokenEndpointRequest(
      ...([server, client, authentication, 'authorization_code', parameters, options] as const),
    );
    await processGenericTokenEndpointResponse(server, client, response);
  } catch (error) {
    if (error instanceof ResponseBodyError && ['invalid_grant', 'invalid_request'].includes(error.error)) {
      return { detail: `The provider knows the client (it answered "${error.error}" to a made-up code).` };
    }
    throw readFailure('code_exchange', error);
  }
  throw new ProviderFailure('code_exchange', {
    received: 'tokens for a code that never was',
    expected: 'invalid_grant',
    mend: 'Do not use this provider: it gives tokens for anything.',
  });
}
