import { error, exact, readObject, readTexts, warning, type Verifier } from './condition.ts';
import { readExpression, writeExpression } from './expression.ts';

const subjectMapping = "assertion.project_id + ':' + assertion.environment";
const longestSubject = 127;

/** A provider of a workload identity pool, as its REST API and `gcloud … describe --format=json` have it. */
export const googleCloud: Verifier = {
  title: 'Google Cloud',
  algorithms: ['RS256', 'ES256'],
  print: ({ issuer, audience, subjects }) => ({
    oidc: { issuerUri: issuer, allowedAudiences: [audience] },
    attributeMapping: { 'google.subject': subjectMapping },
    attributeCondition: writeExpression('assertion', 'sub', subjects),
  }),
  notes: ({ issuer, audience, subjects }) => [
    `gcloud iam workload-identity-pools providers create-oidc PROVIDER --location=global --workload-identity-pool=POOL --issuer-uri=${issuer} --allowed-audiences=${audience} --attribute-mapping="google.subject=${subjectMapping}" --attribute-condition="${writeExpression('assertion', 'sub', subjects)}"`,
    'The principal is principal://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/subject/{project id}:{environment}: grant roles to it, never to the whole pool (principalSet://…/*).',
  ],
  read(configuration) {
    const provider = readObject(configuration, 'configuration');
    const oidc = readObject(provider['oidc'], 'oidc');
    const { name, attributeCondition: condition } = provider;
    const listed = readTexts(oidc['allowedAudiences'], 'oidc.allowedAudiences') ?? [];
    // Without a list, the audience has to be the provider's own name, with or without the scheme.
    const audiences =
      listed.length === 0 && typeof name === 'string'
        ? [`https://iam.googleapis.com/${name}`, `//iam.googleapis.com/${name}`]
        : listed;
    const mapping = readObject(provider['attributeMapping'] ?? {}, 'attributeMapping')['google.subject'];
    const mapped = "attributeMapping['google.subject']";
    return {
      grants: [
        {
          line: 'provider',
          conditions: [
            ...exact('oidc.issuerUri', 'iss', readTexts(oidc['issuerUri'], 'oidc.issuerUri')),
            ...(audiences.length === 0 ? [] : exact('oidc.allowedAudiences', 'aud', audiences)),
            ...(typeof condition === 'string' && condition.trim() !== ''
              ? readExpression(condition, 'assertion', 'attributeCondition')
              : []),
          ],
        },
      ],
      findings: [
        ...(typeof mapping === 'string'
          ? []
          : [error('no-mapping', mapped, `It has to be there: ${subjectMapping}`)]),
        ...(mapping === 'assertion.sub'
          ? [
              warning(
                'long-subject',
                mapped,
                `With long names sub has more than ${longestSubject} bytes and is refused: map ${subjectMapping}`,
              ),
            ]
          : []),
      ],
    };
  },
  demand(configuration, claims) {
    const mapping = readObject(
      readObject(configuration, 'configuration')['attributeMapping'] ?? {},
      'attributeMapping',
    );
    const subject = map(mapping['google.subject'], claims);
    const bytes = Buffer.byteLength(subject ?? '');
    const life = Number(claims['exp']) - Number(claims['iat']);
    return [
      {
        line: "attributeMapping['google.subject']",
        problem:
          subject === undefined
            ? `cannot be read, or a claim is missing; expected ${subjectMapping}`
            : bytes === 0 || bytes > longestSubject
              ? `google.subject has ${bytes} bytes; at most ${longestSubject}`
              : undefined,
      },
      { line: 'exp - iat', problem: life <= 86_400 ? undefined : `${life} seconds; at most 24 hours` },
    ];
  },
};

/** A sum of claims and texts, as CEL would give it; undefined for what is not understood. */
function map(mapping: unknown, claims: Readonly<Record<string, unknown>>): string | undefined {
  if (typeof mapping !== 'string') return undefined;
  const parts = mapping.split(/\s*\+\s*/).map((part) => {
    const [, claim, text] = /^(?:assertion\.([A-Za-z_]\w*)|'([^'\\+]*)')$/.exec(part.trim()) ?? [];
    const value = claim === undefined ? text : claims[claim];
    return typeof value === 'string' ? value : undefined;
  });
  return parts.includes(undefined) ? undefined : parts.join('');
}
