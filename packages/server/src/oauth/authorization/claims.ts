import { oauthError, type OAuthError } from '#errors';
import type { App } from '#apps';
import type { AuthorizationParameters } from '#requests';

type Asked = Pick<AuthorizationParameters, 'claims' | 'acr' | 'hintedUserId'>;

/** Claims about the person, and the scope whose consent covers each (OpenID Connect Core 5.4). */
const scopeOfClaim: Readonly<Record<string, 'profile' | 'email'>> = {
  name: 'profile',
  preferred_username: 'profile',
  picture: 'profile',
  updated_at: 'profile',
  email: 'email',
  email_verified: 'email',
};

const longestClaims = 4_096;

/** Authentication context classes, by what a login was proven with. */
export const acrValues = ['1'];

/** `1`: one proof of who they are. There is no stronger login yet. */
export function acrOf(_amr: readonly string[]): string {
  return '1';
}

/**
 * The `claims` and `acr_values` parameters (OpenID Connect Core 5.5 and 3.1.2.1). Claims that we do not know, or
 * whose scope the app may not have, are passed over. Throws OAuthError `invalid_request`.
 */
export function parseClaims(sent: ReadonlyMap<string, string>, app: Pick<App, 'scopes'>): Asked {
  const text = sent.get('claims');
  const acr = acrFromValues(sent.get('acr_values'));
  if (text === undefined) return acr === undefined ? {} : { acr };
  const { userinfo, id_token: idToken } = parseObject(text);
  const inIdToken = requestsIn(idToken, 'id_token');
  const inUserinfo = requestsIn(userinfo, 'userinfo');
  const named = (asked: ReadonlyMap<string, unknown>) =>
    [...asked.keys()].filter((name) => {
      const scope = Object.hasOwn(scopeOfClaim, name) ? scopeOfClaim[name] : undefined;
      return scope !== undefined && app.scopes.includes(scope);
    });
  const subject = valuesOf(inIdToken.get('sub'))[0] ?? valuesOf(inUserinfo.get('sub'))[0];
  const askedAcr = inIdToken.has('acr') ? acrFromClaim(inIdToken.get('acr')) : acr;
  return {
    claims: { idToken: named(inIdToken), userinfo: named(inUserinfo) },
    ...(askedAcr === undefined ? {} : { acr: askedAcr }),
    ...(subject === undefined ? {} : { hintedUserId: subject }),
  };
}

/** What the person has to allow: the scopes, and those that cover claims asked for by name. */
export function scopesToAllow({
  scopes,
  claims,
}: Pick<AuthorizationParameters, 'scopes' | 'claims'>): string[] {
  const ofClaims = [...(claims?.idToken ?? []), ...(claims?.userinfo ?? [])].map(
    (name) => scopeOfClaim[name],
  );
  return [...new Set([...scopes, ...ofClaims.filter((scope) => scope !== undefined)])];
}

/** OpenID Connect Core 5.5.1.1: an essential acr that the login does not have is a failed authentication. */
export function isAcrMet(acr: AuthorizationParameters['acr'], amr: readonly string[]): boolean {
  if (acr === undefined || !acr.isEssential || acr.values.length === 0) return true;
  return acr.values.includes(acrOf(amr));
}

function acrFromValues(text: string | undefined): AuthorizationParameters['acr'] {
  if (text === undefined) return undefined;
  return {
    values: text
      .split(' ')
      .filter((value) => value !== '')
      .slice(0, 10),
    isEssential: false,
  };
}

function acrFromClaim(asked: unknown): AuthorizationParameters['acr'] {
  const isEssential = isRecord(asked) && asked['essential'] === true;
  return { values: valuesOf(asked).slice(0, 10), isEssential };
}

function parseObject(text: string): Record<string, unknown> {
  if (text.length > longestClaims) throw malformed(`It must be at most ${longestClaims} characters`);
  try {
    const parsed: unknown = JSON.parse(text);
    if (isRecord(parsed)) return parsed;
  } catch (cause) {
    throw malformed('Expected a JSON object', cause);
  }
  throw malformed('Expected a JSON object');
}

function requestsIn(member: unknown, name: string): ReadonlyMap<string, unknown> {
  if (member === undefined || member === null) return new Map();
  if (!isRecord(member)) throw malformed(`Its member '${name}' is not an object`);
  for (const [claim, asked] of Object.entries(member)) {
    if (asked !== null && !isRecord(asked)) {
      throw malformed(`'${claim.slice(0, 100)}' in '${name}' is neither null nor an object`);
    }
  }
  return new Map(Object.entries(member));
}

function valuesOf(asked: unknown): string[] {
  if (!isRecord(asked)) return [];
  const values: unknown[] = Array.isArray(asked['values']) ? asked['values'] : [asked['value']];
  return values.filter((value) => typeof value === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(reason: string, cause?: unknown): OAuthError {
  return oauthError('invalid_request', `Parameter 'claims'. ${reason}`, { cause });
}
