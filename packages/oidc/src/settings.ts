import { parseBaseUrl } from './base-url.ts';
import { OidcTokenError, show } from './errors.ts';

/** Which instance, and how it names things. What is left out comes from the environment. */
export type InstanceOptions = {
  /** Prefix of headers, variables and folders, as `TESSERA_WIRE_PREFIX` says it; `vercel` unless set. */
  wirePrefix?: string | undefined;
  /** `{origin}`, where the command line logged in; `TESSERA_ORIGIN_URL`, or `TESSERA_PUBLIC_URL`. */
  originUrl?: string | undefined;
  /** `{api}`; `TESSERA_API_URL`, or `/api` at `TESSERA_PUBLIC_URL`. */
  apiUrl?: string | undefined;
  /** `{oidc}`; `TESSERA_OIDC_URL`, or `/oidc` at `TESSERA_PUBLIC_URL`. */
  oidcUrl?: string | undefined;
};

export type BaseUrls = { origin: string | undefined; api: string | undefined; oidc: string | undefined };

/** The names that the prefix makes. */
export type Names = {
  prefix: string;
  tokenHeader: string;
  tokenVariable: string;
  tokenFileVariable: string;
  requestContext: symbol;
};

export function namesOf(wirePrefix: string | undefined): Names {
  const prefix = wirePrefix ?? readEnvironment('TESSERA_WIRE_PREFIX') ?? 'vercel';
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(prefix) || prefix.endsWith('-')) {
    throw new OidcTokenError(
      'option',
      `The wire prefix is ${show(prefix)}; expected lower-case letters, digits and hyphens, as the instance has it.`,
    );
  }
  const variable = prefix.toUpperCase().replaceAll('-', '_');
  return {
    prefix,
    tokenHeader: `x-${prefix}-oidc-token`,
    tokenVariable: `${variable}_OIDC_TOKEN`,
    tokenFileVariable: `${variable}_OIDC_TOKEN_FILE`,
    requestContext: Symbol.for(`@${prefix}/request-context`),
  };
}

/** What is set, by option or environment, under the names that the server has for it. */
export function baseUrlsOf(options: InstanceOptions): BaseUrls {
  const publicUrl = readUrl('TESSERA_PUBLIC_URL', undefined);
  const under = (path: string) => (publicUrl === undefined ? undefined : `${publicUrl}${path}`);
  return {
    origin: readUrl('TESSERA_ORIGIN_URL', options.originUrl) ?? under(''),
    api: readUrl('TESSERA_API_URL', options.apiUrl) ?? under('/api'),
    oidc: readUrl('TESSERA_OIDC_URL', options.oidcUrl) ?? under('/oidc'),
  };
}

function readUrl(name: string, option: string | undefined): string | undefined {
  const given = option ?? readEnvironment(name);
  if (given === undefined) return undefined;
  const parsed = parseBaseUrl(given);
  if ('url' in parsed) return parsed.url;
  throw new OidcTokenError('option', `${name} is ${show(given)}, which ${parsed.problem}.`);
}

/** A variable of the environment, where there is one: edge runtimes and browsers may have none. */
export function readEnvironment(name: string): string | undefined {
  const { process } = globalThis as {
    process?: { env?: Readonly<Record<string, string | undefined>> };
  };
  return process?.env?.[name]?.trim() || undefined;
}
