import { getRoute, type ExplainAnswer, type ExplainBody } from '@tessera/contract';
import { PublicError, publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { Outcome } from '#protection';
import { admit, parseRequest } from './admission.ts';
import type { GatewayNeeds, Site } from './needs.ts';
import { createPassportTokens } from './passport/tokens.ts';
import { createCookieReader } from './request/cookies.ts';
import { createHostReader } from './request/host.ts';
import { createOwnNames } from './request/own-names.ts';
import type { SentRequest } from './request/sent-request.ts';

export type ExplainNeeds = Pick<
  GatewayNeeds,
  'address' | 'bypasses' | 'clock' | 'deployments' | 'keys' | 'trustedSources' | 'urls' | 'visitors' | 'wire'
>;

/**
 * The REST door that explains: the same reading, facts and rules as for a request that somebody sends, and nothing of
 * what follows. No session begins, no use is written down, no try is counted.
 */
export function createExplainRest(needs: ExplainNeeds): readonly RestDoor[] {
  const names = createOwnNames(needs.wire, needs.address.protocol === 'https:');
  const readCookies = createCookieReader(names);
  const readHost = createHostReader(needs.address);
  const rooms = { ...needs, names, readHost, readCookies, tokens: createPassportTokens(needs) };

  return [
    restDoor(getRoute('protection.explain'), async ({ team, body }) => {
      const site = await needs.deployments.findByHost(body.host);
      if (site === undefined || site.team.id !== team.id) {
        throw publicError('not_found', { description: `The team has no deployment at "${body.host}".` });
      }
      return { ...whereOf(site), ...(await explain(body, site)) };
    }),
  ];

  async function explain(body: ExplainBody, site: Site): Promise<Pick<ExplainAnswer, 'outcome' | 'rules'>> {
    let parsed;
    try {
      parsed = parseRequest(rooms, sentRequestOf(body));
    } catch (error) {
      if (!(error instanceof PublicError)) throw error;
      return {
        outcome: { is: 'refuse', code: error.code.toUpperCase(), because: error.description },
        rules: [],
      };
    }
    const { verdict } = await admit({ ...rooms, deployments: { findByHost: async () => site } }, parsed, {
      clientAddress: body.clientAddress ?? '',
      wantsSession: false,
      isExplanation: true,
    });
    const rules = verdict.rules.map(({ rule, answer }) => ({
      rule,
      says: answer.says,
      because: answer.because,
    }));
    const last = rules.at(-1);
    // A deployment that hides does so at our own paths as well.
    if (names.isOwnPath(parsed.target.path) && verdict.outcome.is !== 'hide') {
      return { outcome: { is: 'own-path', because: 'The gateway answers at this path itself.' }, rules: [] };
    }
    return {
      outcome: { ...outcomeOf(verdict.outcome), by: last?.rule ?? '', because: last?.because ?? '' },
      rules,
    };
  }
}

/** As the gateway would get it. The host is the one that was asked about, whatever the headers say. */
function sentRequestOf({ host, method, path, headers }: ExplainBody): SentRequest {
  const rawHeaders = ['host', host];
  for (const [name, value] of Object.entries(headers)) {
    if (name.toLowerCase() === 'host') continue;
    for (const each of typeof value === 'string' ? [value] : value) rawHeaders.push(name, each);
  }
  return { method, url: path, httpVersionMajor: 1, httpVersionMinor: 1, rawHeaders };
}

function whereOf(site: Site): Pick<ExplainAnswer, 'host' | 'deploymentId' | 'projectId' | 'environment'> {
  return {
    host: site.host,
    deploymentId: site.deployment.id,
    projectId: site.project.id,
    environment: site.deployment.environment,
  };
}

function outcomeOf(outcome: Outcome): Omit<ExplainAnswer['outcome'], 'because' | 'by'> {
  switch (outcome.is) {
    case 'pass':
    case 'password':
      return { is: outcome.is };
    case 'sign-in':
      return { is: 'sign-in', connectorId: outcome.connectorId };
    case 'hide':
      return { is: 'hide', code: 'DEPLOYMENT_NOT_FOUND' };
    case 'refuse':
      return { is: 'refuse', code: (outcome.code ?? 'visit_refused').toUpperCase() };
  }
}
