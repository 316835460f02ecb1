import {
  error,
  exact,
  readObject,
  readTexts,
  TrustInputRefused,
  type Condition,
  type Verifier,
} from './condition.ts';

const discoveryPath = '/.well-known/openid-configuration';

/**
 * MinIO's OpenID settings and the policy of their role. MinIO compares the audience alone (`aud` or `azp`), so issuer
 * and subject stand in the policy's conditions.
 */
export const minio: Verifier = {
  title: 'MinIO',
  algorithms: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'],
  print: ({ issuer, audience, subjects }) => ({
    config: {
      MINIO_IDENTITY_OPENID_CONFIG_URL: `${issuer}${discoveryPath}`,
      MINIO_IDENTITY_OPENID_CLIENT_ID: audience,
      MINIO_IDENTITY_OPENID_ROLE_POLICY: 'tessera',
    },
    policy: {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['s3:GetObject'],
          Resource: ['arn:aws:s3:::BUCKET/*'],
          Condition: { StringEquals: { 'jwt:iss': [issuer], 'jwt:sub': [...subjects] } },
        },
      ],
    },
  }),
  notes: () => [
    '`config` is the environment of the server, `policy` the policy with the name of the role: mc admin policy create ALIAS tessera FILE',
    'MinIO keeps one list of keys for all its providers, drops none, and does not compare iss: the conditions on jwt:iss and jwt:sub are all that holds. A key that is taken back is trusted until MinIO restarts.',
    'MinIO takes HS256 with the client secret as key: give it no client secret for this provider, or one that is random and used nowhere else.',
  ],
  read(configuration) {
    const { config: givenConfig, policy: givenPolicy } = readObject(configuration, 'configuration');
    const config = readObject(givenConfig, 'config');
    const given = readObject(givenPolicy, 'policy')['Statement'];
    const url = config['MINIO_IDENTITY_OPENID_CONFIG_URL'];
    const client = readTexts(
      config['MINIO_IDENTITY_OPENID_CLIENT_ID'],
      'config.MINIO_IDENTITY_OPENID_CLIENT_ID',
    );
    const statements: readonly unknown[] = Array.isArray(given) ? given : [given];
    const grants = statements.map((each, index) => {
      const line = `policy.Statement[${index}]`;
      const statement = readObject(each, line);
      if (statement['Effect'] !== 'Allow') {
        throw new TrustInputRefused(`${line}.Effect is not Allow; only statements that allow are read here.`);
      }
      return {
        line,
        conditions: [
          ...exact('config.MINIO_IDENTITY_OPENID_CLIENT_ID', 'aud', client),
          ...readConditions(statement['Condition'], `${line}.Condition`),
        ],
      };
    });
    const others = grants.flatMap(({ conditions }) =>
      conditions.filter(
        ({ claim, values }) => claim === 'iss' && values.some((value) => url !== `${value}${discoveryPath}`),
      ),
    );
    return {
      grants,
      findings: others.map(({ line }) =>
        error('swapped-issuer', line, 'MINIO_IDENTITY_OPENID_CONFIG_URL is of another issuer.'),
      ),
    };
  },
  demand: (_configuration, claims) => [
    { line: 'jwt:sub', problem: typeof claims['sub'] === 'string' ? undefined : 'sub is not a text' },
  ],
};

function readConditions(value: unknown, line: string): Condition[] {
  return Object.entries(readObject(value ?? {}, line)).flatMap(([operator, block]) =>
    Object.entries(readObject(block, `${line}.${operator}`)).map(([key, given]) => {
      const at = `${line}.${operator}["${key}"]`;
      const match = operator === 'StringEquals' ? 'exact' : operator === 'StringLike' ? 'pattern' : 'unread';
      return {
        line: at,
        claim: key.replace(/^jwt:/, ''),
        match: key.startsWith('jwt:') ? match : ('unread' as const),
        values: readTexts(given, at) ?? [],
      };
    }),
  );
}
