import { redirectUriProblem } from '@tessera/protocol';
import type { App, AppRegistrations, Apps } from '#apps';
import type { Clock } from '#clock';
import type { Database } from '#database';
import { OAuthError, PublicError, publicError } from '#errors';
import { FetchFailure, type GuardedFetch } from '#fetch';
import { networkOf, type Limits } from '#limits';
import { parseClientMetadata, type ClientMetadata } from './client-metadata.ts';

export type ClientDocumentsNeeds = {
  fetch: GuardedFetch;
  clock: Clock;
  apps: Pick<Apps, 'find'>;
  registrations: Pick<AppRegistrations, 'putDocument'>;
  database: Pick<Database, 'tryWrite'>;
  limits: Pick<Limits, 'count'>;
};

export type ClientDocuments = {
  /** Whether a client id is an address that a document can be read from. Fetches nothing. */
  isAddress(clientId: string): boolean;
  /** Counts a request that names an address, before anybody has logged in. Throws `registration_quota`. */
  countRequest(clientId: string, clientAddress: string): Promise<void>;
  /**
   * The client that the document at this address describes. For somebody who is logged in alone: a stranger must
   * not make us call addresses. Throws `client_document_refused`, or `registration_quota` when this person's browser
   * has led us to too many of them.
   */
  read(clientId: string, by: { userId: string; reference: string }): Promise<App>;
};

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** How long a document counts that does not say it of itself; and what of its own word is believed. */
const defaultAge = 60 * minute;
const leastAge = 5 * minute;
const mostAge = day;
/** Between two readings, the client is kept for the tokens that it has. */
const lifetimeMilliseconds = 90 * day;
const longestAddress = 1_000;
/** Of one person. */
const mostReadsPerHour = 60;
/** Requests a minute: for one client from one network, and for any from a network. */
const mostOfClient = 100;
const mostOfNetwork = 600;

/** Clients whose id is the address of their metadata (draft-ietf-oauth-client-id-metadata-document). */
export function createClientDocuments(needs: ClientDocumentsNeeds): ClientDocuments {
  const { fetch, clock, apps, registrations, database, limits } = needs;
  const underWay = new Map<string, Promise<App>>();

  function isAddress(clientId: string): boolean {
    if (!/^https?:\/\//.test(clientId) || clientId.length > longestAddress) return false;
    // The rules of redirect URIs are those of this draft (section 2): no fragment, no user, no dot segments.
    if (redirectUriProblem(clientId) !== undefined) return false;
    try {
      // https, or a private host that the operator allowed; and written as browsers write it, or two ids were one.
      return fetch.validate(clientId).href === clientId;
    } catch (error) {
      if (error instanceof FetchFailure) return false;
      throw error;
    }
  }

  async function fetchDocument(clientId: string): Promise<{ document: ClientMetadata; age: number }> {
    const response = await fetch(clientId, { headers: { accept: 'application/json' } });
    if (response.status !== 200) throw refuse(clientId, `It answers ${response.status}; expected 200`);
    const type = response.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
    if (!/^application\/(?:[\w.-]+\+)?json$/.test(type)) {
      throw refuse(clientId, `It has the type '${type.slice(0, 100)}'; expected application/json`);
    }
    const document: unknown = await response.json();
    if (typeof document !== 'object' || document === null || Array.isArray(document)) {
      throw refuse(clientId, 'It is not a JSON object');
    }
    return { document: document as ClientMetadata, age: ageOf(response.headers.get('cache-control')) };
  }

  async function readAnew(clientId: string, reference: string): Promise<App> {
    try {
      const { document, age } = await fetchDocument(clientId);
      return await registrations.putDocument(clientId, describe(clientId, document), {
        freshUntil: clock.now() + age,
        lifetimeMilliseconds,
        reference,
      });
    } catch (error) {
      if (error instanceof FetchFailure) throw refuse(clientId, `It cannot be read: ${error.message}`, error);
      if (error instanceof SyntaxError) throw refuse(clientId, 'It is not JSON', error);
      if (error instanceof OAuthError) throw refuse(clientId, error.description, error);
      if (error instanceof PublicError && error.code === 'invalid_app') {
        throw refuse(clientId, error.description, error);
      }
      throw error;
    }
  }

  return {
    isAddress,
    async countRequest(clientId, clientAddress) {
      const network = networkOf(clientAddress);
      const counted = await database.tryWrite([
        limits.count('client-document-request', `${clientId} ${network}`, mostOfClient, minute),
        limits.count('client-document-request', network, mostOfNetwork, minute),
      ]);
      if (counted.committed) return;
      throw publicError('registration_quota', {
        description: 'Too many requests for apps that nobody registered came from this network.',
        mend: 'Wait a minute, then try again.',
        headers: { 'retry-after': String(minute / 1_000) },
      });
    },
    async read(clientId, { userId, reference }) {
      const known = await apps.find(clientId);
      if (known !== undefined && clock.now() < (known.documentFreshUntil ?? 0)) return known;
      // A page may send a browser to us again and again, each time with another address.
      const counted = await database.tryWrite([
        limits.count('client-document', userId, mostReadsPerHour, hour),
      ]);
      if (!counted.committed) throw publicError('registration_quota');
      const pending =
        underWay.get(clientId) ??
        readAnew(clientId, reference).finally(() => {
          underWay.delete(clientId);
        });
      underWay.set(clientId, pending);
      return pending;
    },
  };
}

/** What a document may say (section 4): who it is, byte by byte; no secret; answers to itself or to this machine. */
function describe(clientId: string, document: ClientMetadata) {
  if (document['client_id'] !== clientId) {
    throw refuse(clientId, `Its client_id is not the address that it stands at. Expected "${clientId}"`);
  }
  const method = document['token_endpoint_auth_method'] ?? 'none';
  if (method !== 'none' && method !== 'private_key_jwt') {
    throw refuse(clientId, "Its token_endpoint_auth_method is not 'none' or 'private_key_jwt'");
  }
  if ('client_secret' in document)
    throw refuse(clientId, 'It has a client_secret, which everybody could read');
  const { fields, about } = parseClientMetadata({ ...document, token_endpoint_auth_method: method });
  const { origin, host } = new URL(clientId);
  const stranger = fields.redirectUris.find((uri) => !isOwnOrLoopback(uri, origin));
  if (stranger !== undefined) {
    throw refuse(clientId, `Its redirect URI ${stranger} is neither at ${origin} nor on a loopback address`);
  }
  // Anybody may write any name into a document; the host is what it can prove.
  return { fields: { ...fields, name: host }, about };
}

function isOwnOrLoopback(uri: string, origin: string): boolean {
  const parsed = new URL(uri);
  if (parsed.origin === origin) return true;
  return parsed.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(parsed.hostname);
}

/** RFC 9111, 5.2.2: how long the document may be kept, within our limits. */
function ageOf(cacheControl: string | null): number {
  const seconds = /(?:^|[\s,])max-age=(\d{1,9})/i.exec(cacheControl ?? '')?.[1];
  const age = seconds === undefined ? defaultAge : Number(seconds) * 1_000;
  return Math.min(Math.max(age, leastAge), mostAge);
}

function refuse(clientId: string, reason: string, cause?: unknown): PublicError {
  return publicError('client_document_refused', {
    description: `The metadata document of the app at ${clientId}. ${reason}.`,
    cause,
  });
}
