import type { WireNames } from '@tessera/protocol';
import { publicError } from '#errors';
import type { OwnAnswer } from '../answers.ts';
import type { HeaderList } from '../request/header-list.ts';
import { bare } from '../request/own-names.ts';
import type { DialectName } from './dialects.ts';

/** How many cookies nginx can be handed, each in a header of its own. */
const mostNginxCookies = 4;

export type Passed = {
  /** The visitor's cookies without ours. */
  readonly cookies: string | undefined;
  readonly visitorToken: string | undefined;
  readonly workloadToken: string | undefined;
  /** What the visitor sent, as far as the proxy hands it on. */
  readonly sent: HeaderList;
};

/**
 * How a decision is told in each dialect. Every header of ours is there in every answer, empty where it says nothing:
 * a proxy that copies what it finds, and leaves what it does not find, would leave what the visitor sent.
 */
export function createDecisionAnswers(wire: WireNames) {
  /** Says nothing in any pass. */
  const silent: Record<string, string> = {
    'cache-control': 'no-store',
    [wire.errorHeader]: '',
    [wire.bypassHeader]: '',
    [wire.setBypassCookieName]: '',
    [wire.trustedTokenHeader]: '',
    [wire.decisionCredentialHeader]: '',
    [wire.decisionProbeHeader]: '',
  };
  const nothing: Record<string, string> = {
    ...silent,
    cookie: '',
    [wire.decisionHeader]: '',
    [wire.passportTokenHeader]: '',
    [wire.oidcTokenHeader]: '',
  };
  const nothingForNginx: Record<string, string> = {
    [wire.decisionLocationHeader]: '',
    [wire.decisionStatusHeader]: '',
    ...Object.fromEntries(
      Array.from({ length: mostNginxCookies }, (_, index) => [cookieHeaderOf(index), '']),
    ),
  };

  const silentList = Object.entries(silent).flat();
  const silentListForNginx = Object.entries({ ...silent, ...nothingForNginx }).flat();

  function cookieHeaderOf(index: number): string {
    return `${wire.decisionCookieHeader}-${index + 1}`;
  }

  return {
    /** The headers of a pass. Flat, and most of it made before: this is what nearly every question is answered with. */
    pass(dialect: DialectName, passed: Passed): string[] {
      const headers = [
        ...(dialect === 'nginx' ? silentListForNginx : silentList),
        wire.decisionHeader,
        'pass',
        'cookie',
        passed.cookies ?? '',
        wire.passportTokenHeader,
        passed.visitorToken ?? '',
        wire.oidcTokenHeader,
        passed.workloadToken ?? '',
      ];
      if (dialect === 'envoy') {
        headers.push('x-envoy-auth-headers-to-remove', misspelled(passed.sent).join(','));
      }
      return headers;
    },

    /** An answer of ours that the front proxy brings to the visitor. Never one that it could take for a pass. */
    refuse(dialect: DialectName, answer: OwnAnswer): OwnAnswer {
      const { location } = answer.headers;
      const isRedirect = location !== undefined && answer.status >= 300 && answer.status < 400;
      const headers = {
        ...nothing,
        ...answer.headers,
        [wire.decisionHeader]: isRedirect ? 'sign-in' : 'refuse',
      };
      if (dialect !== 'nginx') {
        return { ...answer, status: answer.status < 300 ? 403 : answer.status, headers };
      }
      // nginx makes 500 of every answer but 2xx, 401 and 403, and reads no more than single headers of it.
      if (answer.cookies.length > mostNginxCookies) {
        throw publicError('visit_refused', { description: 'nginx cannot be handed that many cookies.' });
      }
      const { location: _, ...others } = headers;
      return {
        status: isRedirect || answer.status === 401 ? 401 : 403,
        headers: {
          ...others,
          ...nothingForNginx,
          [wire.decisionLocationHeader]: isRedirect ? location : '',
          [wire.decisionStatusHeader]: String(answer.status),
          ...Object.fromEntries(answer.cookies.map((cookie, index) => [cookieHeaderOf(index), cookie])),
        },
        cookies: [],
        body: answer.body,
      };
    },
  };

  /** Names that a CGI program would take for ours, and that Envoy does not replace because they are others. */
  function misspelled(sent: HeaderList): string[] {
    const family = bare(`x-${wire.prefix}-`);
    const names = new Set<string>();
    for (let index = 0; index < sent.length; index += 2) {
      const name = (sent[index] ?? '').toLowerCase();
      if (bare(name).startsWith(family) && !(name in nothing)) names.add(name);
    }
    return [...names];
  }
}
