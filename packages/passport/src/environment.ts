import { PassportError, show } from './errors.ts';

/** The names that the wire prefix makes. */
export type Names = { tokenHeader: string; requestContext: symbol; environmentVariables: readonly string[] };

export function namesOf(wirePrefix: string | undefined): Names {
  const prefix = wirePrefix ?? readEnvironment('TESSERA_WIRE_PREFIX') ?? 'vercel';
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(prefix) || prefix.endsWith('-')) {
    throw new PassportError(
      'option',
      `The wire prefix is ${show(prefix)}; expected lower-case letters, digits and hyphens, as the instance has it.`,
    );
  }
  const variable = prefix.toUpperCase().replaceAll('-', '_');
  return {
    tokenHeader: `x-${prefix}-oidc-passport-token`,
    requestContext: Symbol.for(`@${prefix}/request-context`),
    environmentVariables: [`${variable}_ENV`, `${variable}_TARGET_ENV`],
  };
}

/** Whether this process has an environment at all: edge runtimes and browsers may have none. */
export function hasEnvironment(): boolean {
  return environment() !== undefined;
}

export function readEnvironment(name: string): string | undefined {
  return environment()?.[name]?.trim() || undefined;
}

function environment(): Readonly<Record<string, string | undefined>> | undefined {
  return (globalThis as { process?: { env?: Readonly<Record<string, string | undefined>> } }).process?.env;
}
