import type { Clock } from '#clock';
import { equalInConstantTime, type Sealing } from '#sealing';

export type BypassKind = 'automation' | 'share';

/** What a cookie of a bypass is good for: one host, one bypass, until a time. */
export type BypassCookie = {
  kind: BypassKind;
  host: string;
  projectId: string;
  id: string;
  expiresAt: number;
};

/**
 * The cookie that a browser gets for a secret: the id of the bypass, a time, and a mac over these and the host. It is
 * no secret that could be used elsewhere, and says nothing without the bypass, which is looked up each time.
 */
export function createBypassCookies({ sealing, clock }: { sealing: Pick<Sealing, 'mac'>; clock: Clock }) {
  const macOf = ({ kind, host, projectId, id, expiresAt }: BypassCookie): string =>
    sealing.mac('bypass-cookie', JSON.stringify([kind, host, projectId, id, expiresAt]));

  return {
    format: (cookie: BypassCookie): string => `${cookie.id}.${cookie.expiresAt}.${macOf(cookie)}`,

    /** The id of the bypass, if the value was made here for this host and its time is not over. */
    parse(value: string, at: Pick<BypassCookie, 'kind' | 'host' | 'projectId'>): string | undefined {
      const match = /^([a-z]{3}_[0-9A-Za-z]{24})\.(\d{1,15})\.([\w-]{43})$/.exec(value);
      const [, id, time, mac] = match ?? [];
      if (id === undefined || time === undefined || mac === undefined) return undefined;
      const expiresAt = Number(time);
      if (!equalInConstantTime(mac, macOf({ ...at, id, expiresAt }))) return undefined;
      return expiresAt > clock.now() ? id : undefined;
    },
  };
}
