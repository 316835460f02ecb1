import type { App, AppRegistrations } from '#apps';
import type { Bound, Database } from '#database';
import { oauthError, PublicError, type OAuthError } from '#errors';
import { readJson, type Door, type DoorContext } from '#http';
import { networkOf, type Limits } from '#limits';
import { equalInConstantTime, hashSecret } from '#sealing';
import { z } from 'zod';
import type { Endpoint } from '../endpoint.ts';
import { clientMetadataOf, parseClientMetadata, type ClientMetadata } from './client-metadata.ts';
import type { VerifySector } from './sector.ts';

export type RegistrationTerms = {
  /** What whoever registers must present; undefined: anybody may. */
  initialAccessToken: string | undefined;
  /** How many clients there may be at a time. */
  most: number;
  days: number;
};

export type RegistrationNeeds = {
  api: string;
  terms: RegistrationTerms;
  database: Pick<Database, 'tryWrite'>;
  limits: Pick<Limits, 'count'>;
  registrations: AppRegistrations;
  verifySector: VerifySector;
  /** Ends all tokens of an app: for the unit that ends its registration. */
  endTokens: (appId: string) => readonly Bound<unknown>[];
};

const hour = 3_600_000;
/** Of one network, failed tries among them: enough for a workshop, too little to fill a table. */
const mostPerHour = 30;
const mostPerHourOfAll = 1_000;
const path = '/login/oauth/register';
const metadataSchema = z.record(z.string(), z.unknown());
/** RFC 7592, 2.2: what the server alone decides. */
const serversOwn = [
  'registration_access_token',
  'registration_client_uri',
  'client_secret_expires_at',
  'client_id_issued_at',
] as const;

/**
 * Dynamic registration (RFC 7591, OpenID Connect Dynamic Registration 1.0) and the management of what was registered
 * (RFC 7592). Whoever registers so is unverified: no consent is remembered, and the registration ends.
 */
export function createRegistration(needs: RegistrationNeeds): Endpoint {
  const { api, terms, registrations } = needs;
  const lifetimeMilliseconds = terms.days * 24 * hour;

  async function register(context: DoorContext): Promise<Response> {
    await countTry(context);
    authorizeRegistration(context);
    const metadata = await readMetadata(context);
    const registration = parseClientMetadata(metadata);
    await needs.verifySector(registration);
    const registered = await withOAuthErrors(() =>
      registrations.register(registration, {
        most: terms.most,
        lifetimeMilliseconds,
        // The row of this count is one for all, so registrations wait for each other there.
        order: needs.limits.count('registration', 'everywhere', mostPerHourOfAll, hour),
        reference: context.get('reference'),
      }),
    );
    if (registered === undefined) throw tooMany();
    const { app, clientSecret, registrationToken } = registered;
    return answer(context, 201, app, registrationToken, clientSecret);
  }

  /** Every try counts before anything is looked at: also those with a wrong token, or that make us fetch something. */
  async function countTry(context: DoorContext): Promise<void> {
    const network = networkOf(context.get('clientAddress'));
    const outcome = await needs.database.tryWrite([
      needs.limits.count('registration', network, mostPerHour, hour),
    ]);
    if (!outcome.committed) throw tooMany();
  }

  /** RFC 7591, 3: the initial access token, where one is needed. */
  function authorizeRegistration(context: DoorContext): void {
    const { initialAccessToken } = terms;
    if (initialAccessToken === undefined) return;
    const presented = bearerOf(context);
    if (
      presented !== undefined &&
      equalInConstantTime(hashSecret(presented), hashSecret(initialAccessToken))
    ) {
      return;
    }
    throw refusedToken('An initial access token is needed to register here', presented !== undefined);
  }

  /** The client that is managed, by its own token. An unknown client and a wrong token are one (RFC 7592, 2). */
  async function authenticate(context: DoorContext): Promise<{ app: App; token: string }> {
    const token = bearerOf(context);
    const app =
      token === undefined
        ? undefined
        : await registrations.authenticate(context.req.param('id') ?? '', token);
    if (app === undefined || token === undefined) {
      throw refusedToken(
        'The registration access token is missing, or is not one of this client',
        token !== undefined,
      );
    }
    return { app, token };
  }

  async function replace(context: DoorContext): Promise<Response> {
    const { app, token } = await authenticate(context);
    const metadata = await readMetadata(context);
    refuseForeign(metadata, app);
    const registration = parseClientMetadata(metadata);
    await needs.verifySector(registration);
    const { app: changed, clientSecret } = await withOAuthErrors(() =>
      registrations.replace(app, registration, { lifetimeMilliseconds, reference: context.get('reference') }),
    );
    return answer(context, 200, changed, token, clientSecret);
  }

  function answer(
    context: DoorContext,
    status: 200 | 201,
    app: App,
    registrationToken: string,
    clientSecret: string | undefined,
  ): Response {
    const hasSecret = app.tokenEndpointAuthMethods.some((method) => method.startsWith('client_secret_'));
    return context.json(
      {
        ...clientMetadataOf(app),
        ...(clientSecret === undefined ? {} : { client_secret: clientSecret }),
        ...(hasSecret ? { client_secret_expires_at: Math.floor((app.expiresAt ?? 0) / 1000) } : {}),
        registration_access_token: registrationToken,
        registration_client_uri: `${api}${path}/${app.id}`,
      },
      status,
      { 'cache-control': 'no-store', pragma: 'no-cache' },
    );
  }

  return {
    metadata: { registration_endpoint: `${api}${path}` },
    mount(door: Door) {
      door.post(path, register);
      door.get(`${path}/:id`, async (context) => {
        const { app, token } = await authenticate(context);
        return answer(context, 200, app, token, undefined);
      });
      door.put(`${path}/:id`, replace);
      door.delete(`${path}/:id`, async (context) => {
        const { app } = await authenticate(context);
        await registrations.delete(app, needs.endTokens(app.id), context.get('reference'));
        return context.body(null, 204, { 'cache-control': 'no-store', pragma: 'no-cache' });
      });
    },
  };
}

async function readMetadata(context: DoorContext): Promise<ClientMetadata> {
  try {
    return await readJson(context, metadataSchema);
  } catch (error) {
    if (!(error instanceof PublicError)) throw error;
    throw oauthError('invalid_client_metadata', error.description, { status: error.status, cause: error });
  }
}

/** RFC 7592, 2.2: it names the client that it is for, and nothing that only we decide. */
function refuseForeign(metadata: ClientMetadata, app: App): void {
  if (metadata['client_id'] !== app.id) {
    throw oauthError('invalid_client_metadata', `'client_id'. Expected '${app.id}'`);
  }
  const own = serversOwn.find((name) => metadata[name] !== undefined);
  if (own !== undefined) {
    throw oauthError('invalid_client_metadata', `'${own}'. The server decides it. Leave it out`);
  }
}

/** The words of the app's own rules, as an OAuth client expects them. */
async function withOAuthErrors<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof PublicError)) throw error;
    if (error.code === 'registration_quota') throw tooMany(error);
    if (error.code !== 'invalid_app' && error.code !== 'app_changed') throw error;
    throw oauthError(
      error.description.startsWith('redirectUris') ? 'invalid_redirect_uri' : 'invalid_client_metadata',
      `${error.description} ${error.mend}`,
      { cause: error },
    );
  }
}

function bearerOf(context: DoorContext): string | undefined {
  return /^bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(context.req.header('authorization') ?? '')?.[1];
}

function refusedToken(description: string, wasPresented: boolean): OAuthError {
  const challenge = wasPresented ? 'Bearer realm="tessera", error="invalid_token"' : 'Bearer realm="tessera"';
  return oauthError('invalid_token', description, { headers: { 'www-authenticate': challenge } });
}

function tooMany(cause?: unknown): OAuthError {
  return oauthError(
    'temporarily_unavailable',
    'Too many clients register themselves at present. Try again later, or have a team register the app',
    { status: 429, headers: { 'retry-after': '3600' }, cause },
  );
}
