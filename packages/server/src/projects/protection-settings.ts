import type { OptionsAllowlist, SsoProtection, TrustedIps } from '@tessera/contract';

/** How a project's deployments are protected beside Passport. What is undefined is off. */
export type ProtectionSettings = {
  /** Members of the team pass by their own sign-in. */
  ssoProtection?: SsoProtection | undefined;
  trustedIps?: TrustedIps | undefined;
  optionsAllowlist?: OptionsAllowlist | undefined;
  /** Hosts of this project that are open to everyone. */
  protectionExceptions?: readonly string[] | undefined;
};

/** What is left out stays; null switches off. */
export type ProtectionChange = {
  [Field in keyof Omit<ProtectionSettings, 'protectionExceptions'>]?: ProtectionSettings[Field] | null;
} & { protectionExceptions?: readonly { host: string }[] | null | undefined };

/** The settings after a change. */
export function changedProtection(before: ProtectionSettings, change: ProtectionChange): ProtectionSettings {
  const { ssoProtection, trustedIps, optionsAllowlist, protectionExceptions } = change;
  return {
    ...before,
    ...(ssoProtection === undefined ? {} : { ssoProtection: ssoProtection ?? undefined }),
    ...(trustedIps === undefined ? {} : { trustedIps: trustedIps ?? undefined }),
    ...(optionsAllowlist === undefined ? {} : { optionsAllowlist: optionsAllowlist ?? undefined }),
    ...(protectionExceptions === undefined
      ? {}
      : { protectionExceptions: [...new Set(protectionExceptions?.map(({ host }) => host))] }),
  };
}

/** The settings as they may be read and recorded: under their names on the wire, and never a secret. */
export function readableProtection(settings: ProtectionSettings) {
  return {
    trustedIps: settings.trustedIps ?? null,
    optionsAllowlist: settings.optionsAllowlist ?? null,
    protectionExceptions: (settings.protectionExceptions ?? []).map((host) => ({ host })),
  };
}
