import type {
  DeploymentType,
  OptionsAllowlist,
  SsoProtection,
  TrustedIps,
  TrustedSources,
} from '@tessera/contract';
import { randomBase62 } from '@tessera/protocol';
import { publicError } from '#errors';

/** How a project's deployments are protected beside Passport. What is undefined is off. */
export type ProtectionSettings = {
  /** Members of the team pass by their own sign-in. */
  ssoProtection?: SsoProtection | undefined;
  passwordProtection?: PasswordProtection | undefined;
  trustedIps?: TrustedIps | undefined;
  /** Whose workloads may call; undefined leaves the defaults. */
  trustedSources?: TrustedSources | undefined;
  optionsAllowlist?: OptionsAllowlist | undefined;
  /** Hosts of this project that are open to everyone. */
  protectionExceptions?: readonly string[] | undefined;
};

/** One password for everybody. Its hash is not here: whoever reads settings has no use for it. */
export type PasswordProtection = {
  deploymentType: DeploymentType;
  /** Another one with every password, also with the same one again: who gave the former is out. */
  version: string;
  /** Milliseconds since the epoch. */
  changedAt: number;
};

/** What is left out stays; null switches off. */
export type ProtectionChange = {
  [Field in keyof Omit<ProtectionSettings, 'protectionExceptions' | 'passwordProtection'>]?:
    | ProtectionSettings[Field]
    | null;
} & {
  protectionExceptions?: readonly { host: string }[] | null | undefined;
  /** Without `passwordHash` the password stays that there is. */
  passwordProtection?:
    | { deploymentType: DeploymentType; passwordHash?: string | undefined }
    | null
    | undefined;
};

/** The settings after a change. Throws `bad_request` for password protection without any password. */
export function changedProtection(
  before: ProtectionSettings,
  change: ProtectionChange,
  now: number,
): ProtectionSettings {
  const { ssoProtection, passwordProtection, trustedIps, trustedSources } = change;
  const { optionsAllowlist, protectionExceptions } = change;
  return {
    ...before,
    ...(ssoProtection === undefined ? {} : { ssoProtection: ssoProtection ?? undefined }),
    ...(passwordProtection === undefined
      ? {}
      : { passwordProtection: changedPassword(before.passwordProtection, passwordProtection, now) }),
    ...(trustedIps === undefined ? {} : { trustedIps: trustedIps ?? undefined }),
    ...(trustedSources === undefined ? {} : { trustedSources: trustedSources ?? undefined }),
    ...(optionsAllowlist === undefined ? {} : { optionsAllowlist: optionsAllowlist ?? undefined }),
    ...(protectionExceptions === undefined
      ? {}
      : { protectionExceptions: [...new Set(protectionExceptions?.map(({ host }) => host))] }),
  };
}

function changedPassword(
  before: PasswordProtection | undefined,
  change: NonNullable<ProtectionChange['passwordProtection']> | null,
  now: number,
): PasswordProtection | undefined {
  if (change === null) return undefined;
  const { deploymentType, passwordHash } = change;
  if (passwordHash !== undefined) return { deploymentType, version: randomBase62(16), changedAt: now };
  if (before !== undefined) return { ...before, deploymentType };
  throw publicError('bad_request', {
    description: "'passwordProtection.password' is missing, and the project has no password that could stay.",
    mend: 'Send a password of 1 to 72 characters.',
  });
}

/** The settings as they may be read and recorded: under their names on the wire, and never a secret. */
export function readableProtection(settings: ProtectionSettings) {
  return {
    ssoProtection: settings.ssoProtection ?? null,
    passwordProtection: readablePassword(settings.passwordProtection),
    trustedIps: settings.trustedIps ?? null,
    trustedSources: settings.trustedSources ?? null,
    optionsAllowlist: settings.optionsAllowlist ?? null,
    protectionExceptions: (settings.protectionExceptions ?? []).map((host) => ({ host })),
  };
}

function readablePassword(setting: PasswordProtection | undefined) {
  return setting === undefined
    ? null
    : { deploymentType: setting.deploymentType, changedAt: setting.changedAt };
}
