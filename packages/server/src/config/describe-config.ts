import type { Config } from './config.ts';

/** The configuration as `config check` prints it: every value, secrets as `[redacted]`. */
export function describeConfig(config: Config): string {
  const { urls, deployments, listen, operationsListen, database, masterKey, upstreamAllow, keys } = config;
  const byTeam = [...upstreamAllow.byTeam].flatMap(([team, ranges]) =>
    ranges.map((range) => `${team}=${range}`),
  );
  const lines: [string, string][] = [
    ['TESSERA_ORIGIN_URL', urls.origin],
    ['TESSERA_API_URL', urls.api],
    ['TESSERA_OIDC_URL', urls.oidc],
    ['TESSERA_PASSPORT_URL', urls.passport],
    ['TESSERA_CONNECT_URL', urls.connect],
    ['TESSERA_DEPLOYMENT_DOMAIN', deployments?.domain ?? '(none)'],
    ['TESSERA_LISTEN', `${listen.host}:${listen.port}`],
    [
      'TESSERA_TLS_CERTIFICATES',
      config.certificates.map(({ certificate, key }) => `${certificate}:${key}`).join(', ') || '(none)',
    ],
    ['TESSERA_OPERATIONS_LISTEN', `${operationsListen.host}:${operationsListen.port}`],
    ...decisionLines(config.decisions),
    ['TESSERA_WORKLOAD_LISTEN', describePlace(config.workloadListen)],
    ['TESSERA_STS_URL', config.stsUrl ?? '(none)'],
    [
      'TESSERA_DATABASE_URL',
      database.dialect === 'sqlite' ? `sqlite:${database.path}` : redactUrl(database.connectionString),
    ],
    ['TESSERA_DATA', config.dataFolder],
    ['TESSERA_MASTER_KEY', masterKey.from === 'value' ? '[redacted]' : `in the file ${masterKey.path}`],
    ['TESSERA_TRUST_PROXY', config.trustProxy.join(', ') || '(none)'],
    ['TESSERA_UPSTREAM_ALLOW', [...upstreamAllow.all, ...byTeam].join(', ') || '(none)'],
    ['TESSERA_UPSTREAM_CONNECTIONS', String(config.upstreams.connections)],
    ['TESSERA_UPSTREAM_QUEUE', String(config.upstreams.queue)],
    ['TESSERA_UPSTREAM_CONNECT_SECONDS', String(config.upstreams.connectSeconds)],
    ['TESSERA_UPSTREAM_ANSWER_SECONDS', String(config.upstreams.answerSeconds)],
    ['TESSERA_UPSTREAM_IDLE_SECONDS', String(config.upstreams.idleSeconds)],
    ['TESSERA_DRAIN_SECONDS', String(config.drainSeconds)],
    ['TESSERA_ALLOW_PRIVATE_HOSTS', config.allowPrivateHosts.join(', ') || '(none)'],
    ['TESSERA_DNS_SERVERS', config.dnsServers.join(', ') || '(those of the system)'],
    ['TESSERA_WIRE_PREFIX', config.wirePrefix],
    ['TESSERA_ROLES', config.roles.join(', ')],
    ['TESSERA_CLI_CLIENT_ID', config.cliClientId ?? 'off'],
    ['TESSERA_DYNAMIC_REGISTRATION', config.registration === undefined ? 'off' : 'on'],
    ...registrationLines(config.registration),
    ['TESSERA_CLIENT_ID_DOCUMENTS', config.clientIdDocuments ? 'on' : 'off'],
    ['TESSERA_OPEN_INTROSPECTION', config.openIntrospection ? 'on' : 'off'],
    [
      'TESSERA_KEY_ROTATION_DAYS',
      keys.rotateSeconds === undefined ? 'off' : String(keys.rotateSeconds / 86_400),
    ],
    ['TESSERA_KEY_PUBLISH_SECONDS', String(keys.publishSeconds)],
    ['TESSERA_KEY_RETIRE_SECONDS', String(keys.retireSeconds)],
    ['TESSERA_SMTP_URL', config.smtpUrl === undefined ? '(none)' : redactUrl(config.smtpUrl)],
    ['TESSERA_LOG_LEVEL', config.logLevel],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

function decisionLines(decisions: Config['decisions']): [string, string][] {
  if (decisions === undefined) return [['TESSERA_DECISION_LISTEN', '(none)']];
  const proxies = decisions.proxies.map(({ name, hosts }) => `${name}:[redacted]=${hosts.join(' ')}`);
  return [
    ['TESSERA_DECISION_LISTEN', `${decisions.listen.host}:${decisions.listen.port}`],
    ['TESSERA_DECISION_PROXIES', proxies.join(', ')],
  ];
}

function describePlace(place: Config['workloadListen']): string {
  if (place === undefined) return '(none)';
  return place.socketPath === undefined ? `${place.host}:${place.port}` : `unix:${place.socketPath}`;
}

function registrationLines(registration: Config['registration']): [string, string][] {
  if (registration === undefined) return [];
  const { initialAccessToken, most, days } = registration;
  return [
    ['TESSERA_REGISTRATION_TOKEN', initialAccessToken === undefined ? '(none)' : '[redacted]'],
    ['TESSERA_REGISTRATION_QUOTA', String(most)],
    ['TESSERA_REGISTRATION_DAYS', String(days)],
  ];
}

function redactUrl(text: string): string {
  return text
    .replace(/\/\/[^/@]*@/, '//[redacted]@')
    .replaceAll(/([?&](?:password|sslpassword)=)[^&]*/gi, '$1[redacted]');
}
