/** Every name that configures the server, with one line for `config check` and the error of an unknown name. */
export const configNames = {
  TESSERA_PUBLIC_URL: 'one URL from which all hosts follow, for example https://id.example.com',
  TESSERA_ORIGIN_URL: 'login, consent, authorization endpoint, discovery',
  TESSERA_API_URL: 'token, revocation, introspection, userinfo, REST',
  TESSERA_OIDC_URL: 'issuers of workload tokens',
  TESSERA_PASSPORT_URL: 'issuers of visitor tokens',
  TESSERA_CONNECT_URL: 'the one callback of external identity providers',
  TESSERA_DEPLOYMENT_DOMAIN: 'the domain below which deployments live, for example example.app',
  TESSERA_LISTEN: 'host:port of the public listener',
  TESSERA_TLS_CERTIFICATES: 'CERTIFICATE:KEY, …: PEM files for TLS and HTTP/2 at the public listener',
  TESSERA_OPERATIONS_LISTEN: 'host:port of health and metrics',
  TESSERA_DECISION_LISTEN: 'host:port at which front proxies ask for decisions; none by default',
  TESSERA_DECISION_PROXIES: 'NAME:CREDENTIAL=HOST HOST, …: the front proxies, each with its hosts',
  TESSERA_WORKLOAD_LISTEN:
    'unix:/PATH or 127.0.0.1:PORT at which running deployments get their tokens; none by default',
  TESSERA_STS_URL:
    'https://sts.eu-central-1.amazonaws.com or another AssumeRoleWithWebIdentity, for the AWS credentials of running deployments; none by default',
  TESSERA_DATABASE_URL: 'sqlite:PATH or postgres://…',
  TESSERA_DATA: 'the folder for the SQLite file and the master key',
  TESSERA_MASTER_KEY: '32 bytes as base64url or hex; or TESSERA_MASTER_KEY_FILE',
  TESSERA_MASTER_KEY_FILE: 'a file with the master key, readable by its owner alone',
  TESSERA_TRUST_PROXY: 'addresses or CIDR ranges of proxies whose X-Forwarded-For counts',
  TESSERA_UPSTREAM_ALLOW: 'CIDR ranges that upstreams may lie in; TEAM=RANGE for one team',
  TESSERA_UPSTREAM_CONNECTIONS: 'how many connections one upstream gets at a time, and as many WebSockets',
  TESSERA_UPSTREAM_QUEUE: 'how many requests wait for one of them; more are answered with 503',
  TESSERA_UPSTREAM_CONNECT_SECONDS: 'how long connecting to an upstream may take',
  TESSERA_UPSTREAM_ANSWER_SECONDS: 'how long an upstream may take to begin its answer',
  TESSERA_UPSTREAM_IDLE_SECONDS: 'how long an answer may pause; 0: as long as it likes',
  TESSERA_DRAIN_SECONDS: 'how long running requests may go on when the process is to end',
  TESSERA_ALLOW_PRIVATE_HOSTS: 'hosts (host or host:port) that outgoing calls may reach although private',
  TESSERA_DNS_SERVERS:
    'address or address:port, …: the resolvers that are asked for the proof of domains; by default those of the system',
  TESSERA_WIRE_PREFIX: 'the prefix of names on the wire',
  TESSERA_ROLES: 'identity, gateway, or both',
  TESSERA_CLI_CLIENT_ID: 'the client id that the command line logs in with; off when there is none',
  TESSERA_DYNAMIC_REGISTRATION: 'on lets programs register themselves as clients (RFC 7591); off otherwise',
  TESSERA_REGISTRATION_TOKEN: 'what a registration must present (initial access token); none: anybody may',
  TESSERA_REGISTRATION_QUOTA: 'how many clients that registered themselves there may be at a time',
  TESSERA_REGISTRATION_DAYS: 'after how many days a registration ends that its client does not renew',
  TESSERA_CLIENT_ID_DOCUMENTS: 'on takes https URLs as client ids and reads the metadata document there',
  TESSERA_OPEN_INTROSPECTION: 'on answers introspection to whoever presents an access token alone',
  TESSERA_KEY_ROTATION_DAYS: 'after how many days a signing key is followed by the next; off: by hand alone',
  TESSERA_KEY_PUBLISH_SECONDS: 'for how long a signing key is published before it signs',
  TESSERA_KEY_RETIRE_SECONDS: 'for how long a retired signing key stays after the end of its last token',
  TESSERA_SMTP_URL: 'smtp:// or smtps:// URL of the mail server',
  TESSERA_LOG_LEVEL: 'debug, info, warn, error or silent',
} as const;

export type ConfigName = keyof typeof configNames;

/** The known name that is nearest to a mistyped one, if any is near. */
export function nearestName(unknown: string): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const name of Object.keys(configNames)) {
    const distance = editDistance(unknown, name);
    if (best === undefined || distance < best.distance) best = { name, distance };
  }
  return best !== undefined && best.distance <= Math.max(2, Math.floor(unknown.length / 4))
    ? best.name
    : undefined;
}

/** Levenshtein's distance. */
function editDistance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
