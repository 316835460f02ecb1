import { isPublicApp, type App } from '#apps';
import type { AuthenticateClient } from '#clients';
import type { Database } from '#database';
import { OAuthError, oauthError, PublicError } from '#errors';
import { jsonAnswer, type DirectAnswer, type DirectCall } from '#http';
import { networkOf, type Limits } from '#limits';
import { pushedRequestLifetimeSeconds, type PushedRequests } from '#requests';
import type { VerifyIdTokenHint } from '../authorization/id-token-hint.ts';
import { parseParameters, parseRedirectUri, parseResponseMode } from '../authorization/parsing.ts';
import type { Endpoint } from '../endpoint.ts';
import type { ReadProof } from '../proof.ts';
import type { Redirects } from '../redirects.ts';
import { readEndpointForm } from '../token/token.ts';

export type PushedAuthorizationRequestNeeds = {
  api: string;
  database: Pick<Database, 'write' | 'tryWrite'>;
  limits: Pick<Limits, 'count'>;
  pushedRequests: Pick<PushedRequests, 'push'>;
  authenticate: AuthenticateClient;
  readProof: ReadProof;
  redirects: Redirects;
  verifyHint: VerifyIdTokenHint;
};

const windowMilliseconds = 60_000;
/** Requests a minute: of one client from one network, and of a network with many. */
const mostOfClient = 600;
const mostOfNetwork = 2_400;

type Sent = ReadonlyMap<string, string>;

/** What authenticates the client is for this request alone. */
const credentials = ['client_secret', 'client_assertion', 'client_assertion_type'];

/**
 * The pushed authorization request endpoint (RFC 9126): the same rules as at the authorization endpoint, answered to
 * the client, before any browser is sent.
 */
export function createPushedAuthorizationRequest(needs: PushedAuthorizationRequestNeeds): Endpoint {
  const { api } = needs;
  const url = `${api}/login/oauth/par`;

  /** Throws OAuthError with what would be wrong at the authorization endpoint. */
  async function validate(sent: Sent, app: App): Promise<void> {
    const redirectUri = redirectUriOf(sent, app);
    const responseMode = parseResponseMode(sent, app, redirectUri);
    if (responseMode instanceof OAuthError) throw responseMode;
    parseParameters(sent, app, { redirectUri, responseMode, api });
    const hint = sent.get('id_token_hint');
    if (hint !== undefined) await needs.verifyHint(hint);
  }

  /** From one network each, as anybody has the id of a public client and could lock it out elsewhere. */
  async function countRequest(clientId: string, clientAddress: string): Promise<void> {
    const network = networkOf(clientAddress);
    const counted = await needs.database.tryWrite([
      needs.limits.count('pushed-request', `${clientId} ${network}`, mostOfClient, windowMilliseconds),
      needs.limits.count('pushed-request', network, mostOfNetwork, windowMilliseconds),
    ]);
    if (counted.committed) return;
    throw oauthError('temporarily_unavailable', 'Too many requests were pushed. Wait a minute', {
      status: 429,
      headers: { 'retry-after': String(windowMilliseconds / 1000) },
    });
  }

  async function answer(call: DirectCall): Promise<DirectAnswer> {
    const form = await readEndpointForm(call);
    const client = await needs.authenticate({
      authorization: call.header('authorization'),
      form,
      clientAddress: call.clientAddress,
    });
    await countRequest(client.id, call.clientAddress);
    const dpopJkt = await needs.readProof(call, client, url, { isOptional: true });
    if (form.has('request_uri')) {
      throw oauthError(
        'invalid_request',
        "Parameter 'request_uri'. It is what this endpoint gives out. Expected the request's own parameters",
      );
    }
    const sent = new Map([...form].filter(([name]) => !credentials.includes(name)));
    sent.set('client_id', client.id);
    if (dpopJkt !== undefined) bindToKey(sent, dpopJkt);
    await validate(sent, (await needs.redirects.admit(client, sent.get('redirect_uri'))).app);
    const { requestUri, statements } = needs.pushedRequests.push(client.id, sent);
    await needs.database.write(statements);
    return jsonAnswer({ request_uri: requestUri, expires_in: pushedRequestLifetimeSeconds }, 201, {
      'cache-control': 'no-store',
    });
  }

  return {
    metadata: {
      pushed_authorization_request_endpoint: url,
      // Of the server as a whole; an app may have it required (RFC 9126, 6).
      require_pushed_authorization_requests: false,
    },
    routes: [{ path: '/login/oauth/par', methods: { POST: answer }, forAnyOrigin: true }],
  };
}

/** The error page of the authorization endpoint, in the words of this one. */
function redirectUriOf(sent: Sent, app: App): string {
  try {
    return parseRedirectUri(sent, app, !isPublicApp(app));
  } catch (error) {
    if (!(error instanceof PublicError)) throw error;
    throw oauthError('invalid_request', error.description, { cause: error });
  }
}

/** RFC 9449, 10.1: by the proof or by the parameter; by both only if they agree. */
function bindToKey(sent: Map<string, string>, dpopJkt: string): void {
  const named = sent.get('dpop_jkt');
  if (named !== undefined && named !== dpopJkt) {
    throw oauthError(
      'invalid_dpop_proof',
      "Parameter 'dpop_jkt'. It is the thumbprint of another key than that of the DPoP proof",
    );
  }
  sent.set('dpop_jkt', dpopJkt);
}
