import { formatDecisionProbe, wireNames } from '@tessera/protocol';

/** One request, of which only what is named here is sent. `host` stands in for the one of the address. */
export type CheckRequest = {
  readonly url: string;
  readonly host?: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
};
export type CheckAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
};

/** Sends a request to the address as it is spelled, follows no redirect and believes any certificate. */
export type SendCheck = (request: CheckRequest) => Promise<CheckAnswer>;

export type GatewayToCheck = {
  readonly send: SendCheck;
  /** A protected page, as visitors reach it through the front proxy. */
  readonly url: string;
  /** Headers with which a request may pass, such as a bypass: some checks prove nothing without. */
  readonly passing?: readonly (readonly [name: string, value: string])[];
  /** The decision listener, where this machine reaches it. */
  readonly decisions?: { readonly url: string } | undefined;
  /** The proxy's credential there. */
  readonly credential?: string | undefined;
  readonly wirePrefix?: string;
  /** Something that no other run says. */
  readonly marker: string;
};

export type Finding = {
  readonly check: string;
  /** `unproven`: what was needed to tell was not there. */
  readonly found: 'closed' | 'open' | 'unproven';
  readonly detail: string;
};

type Outcome = Omit<Finding, 'check'>;
type Check = { readonly name: string; run(): Promise<Outcome> };

const closed = (detail: string): Outcome => ({ found: 'closed', detail });
const open = (detail: string): Outcome => ({ found: 'open', detail });
const unproven = (detail: string): Outcome => ({ found: 'unproven', detail });

/**
 * Whether a front proxy lets nobody pass about whom nobody decided: asked from outside, as a stranger would. Every check
 * runs, whatever the others found; one that cannot be made is `unproven`, never `closed`.
 */
export async function checkGateway(gateway: GatewayToCheck): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { name, run } of [...visitorChecks(gateway), ...listenerChecks(gateway)]) {
    const outcome = await run().catch((error: unknown) =>
      unproven(`No answer: ${error instanceof Error ? error.message : String(error)}.`),
    );
    findings.push({ check: name, ...outcome });
  }
  return findings;
}

function visitorChecks({
  send,
  url,
  passing,
  credential,
  wirePrefix = 'vercel',
  marker,
}: GatewayToCheck): Check[] {
  const wire = wireNames(wirePrefix);
  const browser = [['accept', 'text/html']] as const;
  const program = [['accept', 'application/json']] as const;
  const refused = (answer: CheckAnswer, what: string): Outcome =>
    answer.status >= 300 ? closed(`${what}: ${answer.status}.`) : open(`${what}: ${answer.status}.`);

  return [
    {
      name: 'a stranger is sent to sign in',
      async run() {
        const answer = await send({ url, headers: browser });
        if (answer.status < 300) return open(`The page came with ${answer.status}. Is it protected?`);
        const leads = answer.headers['location']?.includes('/start?code=') === true;
        return leads
          ? closed(`${answer.status} to the sign-in.`)
          : unproven(`${answer.status}, but not to the sign-in: does the proxy hand on the answer?`);
      },
    },
    {
      name: 'a program without a session is refused',
      async run() {
        return refused(await send({ url, headers: program }), 'Without a session');
      },
    },
    {
      name: 'an unknown host is refused',
      async run() {
        const { host } = new URL(url);
        const unknown = `doctor-${marker}.${host.slice(host.indexOf('.') + 1)}`;
        const headers = [...program, ...(passing ?? [])];
        return refused(await send({ url, host: unknown, headers }), unknown);
      },
    },
    {
      name: 'a malformed session is none',
      async run() {
        const cookie = `${wire.passportCookie}=${marker}; __Host-${wire.passportCookie}_companion=${marker}`;
        return refused(await send({ url, headers: [...program, ['cookie', cookie]] }), 'With it');
      },
    },
    {
      name: 'nobody deciding is nobody passing',
      async run() {
        if (credential === undefined)
          return unproven("Needs the proxy's credential at the decision listener.");
        const probe = await formatDecisionProbe(credential, Date.now());
        const headers = [...program, ...(passing ?? []), [wire.decisionProbeHeader, probe]] as const;
        const answer = await send({ url, headers });
        if (answer.status < 400) return open(`${answer.status} while the decision was cut off.`);
        // A refusal of ours was a decision: the probe did not come to where it is made.
        return answer.headers[wire.errorHeader]
          ? unproven(
              `${answer.status} by a decision: the proxy does not hand on ${wire.decisionProbeHeader}, has another credential, or the clocks differ.`,
            )
          : closed(`${answer.status} while the decision was cut off.`);
      },
    },
    {
      name: "the gateway's own folder leads to the gateway",
      async run() {
        const answer = await send({ url: new URL(wire.finishPath, url).href, headers: program });
        if (answer.status < 300) return open(`${answer.status} from somebody else.`);
        return answer.headers[wire.errorHeader] === 'HAND_OFF_UNKNOWN'
          ? closed('It answers there.')
          : unproven(`${answer.status}, but not from the gateway: no sign-in can end there.`);
      },
    },
    {
      name: 'identity headers of the visitor do not reach the deployment',
      async run() {
        if (passing === undefined) return unproven('Needs headers with which a request may pass.');
        const harmless = ['x-doctor', `echo-${marker}`] as const;
        const echoed = await send({ url, headers: [...program, ...passing, harmless] });
        if (!echoed.text.includes(harmless[1])) {
          return unproven('Needs a page that answers with the headers that it got.');
        }
        const reached: string[] = [];
        for (const name of spellings([wire.passportTokenHeader, wire.oidcTokenHeader, wire.bypassHeader])) {
          const answer = await send({ url, headers: [...program, ...passing, [name, `forged-${marker}`]] });
          if (answer.text.includes(`forged-${marker}`)) reached.push(name);
        }
        return reached.length === 0
          ? closed('None of them did, in any spelling.')
          : open(`Reached by ${reached.join(', ')}.`);
      },
    },
    {
      name: 'our own headers cannot be taken away by the visitor',
      async run() {
        if (passing === undefined) return unproven('Needs headers with which a request may pass.');
        const plain = await send({ url, headers: [...program, ...passing] });
        if (!plain.text.toLowerCase().includes(wire.requestIdHeader)) {
          return unproven('Needs a page that answers with the headers that it got.');
        }
        const listed = ['connection', `close, ${wire.requestIdHeader}`] as const;
        const answer = await send({ url, headers: [...program, ...passing, listed] });
        // A page that echoes also says what was listed.
        const rest = answer.text.toLowerCase().replaceAll(listed[1], '');
        return answer.status >= 400 || rest.includes(wire.requestIdHeader)
          ? closed('They arrive although they are listed in Connection.')
          : open(`${wire.requestIdHeader} is gone when it is listed in Connection.`);
      },
    },
  ];
}

function listenerChecks({
  send,
  url,
  decisions,
  credential: known,
  wirePrefix = 'vercel',
  marker,
}: GatewayToCheck): Check[] {
  const wire = wireNames(wirePrefix);
  const { host, protocol } = new URL(url);
  const told = (of: string): [string, string][] => [
    ['x-original-method', 'GET'],
    ['x-original-proto', protocol.slice(0, -1)],
    ['x-original-host', of],
    ['x-original-uri', '/'],
    ['x-original-address', '192.0.2.1'],
  ];
  const ask = async (headers: [string, string][], secret: string | undefined): Promise<Outcome> => {
    if (decisions === undefined || known === undefined) {
      return unproven('Needs the address of the decision listener, and the credential there.');
    }
    const credential: [string, string][] =
      secret === undefined ? [] : [[wire.decisionCredentialHeader, secret]];
    const answer = await send({
      url: new URL('/decide/haproxy', decisions.url).href,
      headers: [...headers, ...credential],
    });
    const token = answer.headers[wire.passportTokenHeader] || answer.headers[wire.oidcTokenHeader];
    if (answer.status < 300) return open(`${answer.status}.`);
    return token ? open(`${answer.status}, with a token.`) : closed(`${answer.status}, without a token.`);
  };

  return [
    { name: 'the decision listener refuses who has no credential', run: () => ask(told(host), undefined) },
    {
      name: 'the decision listener refuses another credential',
      run: () => ask(told(host), `another-${marker}`),
    },
    {
      name: 'the decision listener refuses an unknown host',
      run: () => ask(told(`doctor-${marker}.invalid`), known),
    },
    ...told(host).map(([missing]) => ({
      name: `the decision listener refuses a request without ${missing}`,
      run: () =>
        ask(
          told(host).filter(([name]) => name !== missing),
          known,
        ),
    })),
  ];
}

/** As CGI programs, frameworks and careless proxies might take for the same name. */
function spellings(names: readonly string[]): string[] {
  return names.flatMap((name) => [
    name,
    name.toUpperCase(),
    name.replaceAll('-', '_'),
    name.replace('-', '_'),
    name.replaceAll('-', '.'),
  ]);
}
