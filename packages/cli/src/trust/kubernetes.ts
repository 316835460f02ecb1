import { error, exact, readObject, readTexts, warning, type Condition, type Verifier } from './condition.ts';
import { readExpression, writeExpression } from './expression.ts';

/** The API server's `--authentication-config`. It is printed as JSON, which is YAML as well. */
export const kubernetes: Verifier = {
  title: 'Kubernetes',
  algorithms: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512', 'PS256', 'PS384', 'PS512'],
  print: ({ issuer, audience, subjects }) => ({
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AuthenticationConfiguration',
    jwt: [
      {
        issuer: { url: issuer, audiences: [audience] },
        claimValidationRules: [
          { expression: writeExpression('claims', 'sub', subjects), message: 'this workload is not let in' },
        ],
        claimMappings: { username: { claim: 'sub', prefix: 'tessera:' } },
      },
    ],
  }),
  notes: ({ subjects }) => [
    'kube-apiserver --authentication-config=FILE (apiserver.config.k8s.io/v1beta1 before Kubernetes 1.34)',
    `Grant to the user, with a RoleBinding: ${subjects.map((subject) => `tessera:${subject}`).join(', ')}`,
  ],
  read(configuration) {
    const { kind, jwt } = readObject(configuration, 'configuration');
    const authenticators: readonly unknown[] = Array.isArray(jwt) ? jwt : [];
    const grants = authenticators.map((each, index) => {
      const line = `jwt[${index}]`;
      const { issuer: given, claimValidationRules, userValidationRules } = readObject(each, line);
      const issuer = readObject(given, `${line}.issuer`);
      const rules: readonly unknown[] = Array.isArray(claimValidationRules) ? claimValidationRules : [];
      return {
        line,
        conditions: [
          ...exact(`${line}.issuer.url`, 'iss', readTexts(issuer['url'], `${line}.issuer.url`)),
          ...exact(
            `${line}.issuer.audiences`,
            'aud',
            readTexts(issuer['audiences'], `${line}.issuer.audiences`),
          ),
          ...rules.flatMap((rule, place) => readRule(rule, `${line}.claimValidationRules[${place}]`)),
          ...(userValidationRules === undefined
            ? []
            : [{ line: `${line}.userValidationRules`, claim: '', match: 'unread' as const, values: [] }]),
        ],
      };
    });
    const unprefixed = authenticators.flatMap((each, index) => {
      const mappings = readObject(readObject(each, `jwt[${index}]`)['claimMappings'] ?? {}, 'claimMappings');
      const { claim, prefix } = readObject(mappings['username'] ?? {}, 'username');
      const line = `jwt[${index}].claimMappings.username`;
      return claim !== undefined && (prefix === undefined || prefix === '')
        ? [
            warning(
              'no-prefix',
              line,
              'Without a prefix the name may be one that the cluster has given to somebody else.',
            ),
          ]
        : [];
    });
    return {
      grants,
      findings: [
        ...(kind === 'AuthenticationConfiguration'
          ? []
          : [
              error(
                'kind',
                'kind',
                'Expected AuthenticationConfiguration: the flags --oidc-… can compare no list of subjects.',
              ),
            ]),
        ...unprefixed,
      ],
    };
  },
};

function readRule(value: unknown, line: string): Condition[] {
  const { claim, requiredValue, expression } = readObject(value, line);
  if (typeof expression === 'string') return readExpression(expression, 'claims', `${line}.expression`);
  if (typeof claim !== 'string') return [{ line, claim: '', match: 'unread', values: [] }];
  return exact(`${line}.requiredValue`, claim, readTexts(requiredValue ?? '', `${line}.requiredValue`));
}
