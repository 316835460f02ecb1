import { error, exact, readObject, readTexts, warning, type Finding, type Verifier } from './condition.ts';

const usualAudience = 'api://AzureADTokenExchange';

/** Federated credentials of an app or a managed identity: one for each subject, since Azure compares whole texts. */
export const azure: Verifier = {
  title: 'Azure',
  algorithms: ['RS256'],
  defaultAudience: usualAudience,
  print: ({ issuer, audience, environments, subjects }) =>
    subjects.map((subject, index) => ({
      name: `tessera-${environments[index]}`,
      issuer,
      subject,
      audiences: [audience],
    })),
  notes: () => [
    'One of the list at a time: az ad app federated-credential create --id APP --parameters FILE',
    'Azure takes RS256 alone and fetches the keys itself: the issuer must be reachable from the Internet.',
  ],
  read(configuration) {
    const credentials: readonly unknown[] = Array.isArray(configuration) ? configuration : [configuration];
    const findings: Finding[] =
      credentials.length > 20
        ? [
            error(
              'too-many',
              'configuration',
              `There are ${credentials.length} credentials; Azure takes 20 for each app.`,
            ),
          ]
        : [];
    const taken = new Set<string>();
    const grants = credentials.map((each, index) => {
      const line = `[${index}]`;
      const { issuer, subject, audiences, claimsMatchingExpression } = readObject(each, line);
      const listed = readTexts(audiences, `${line}.audiences`) ?? [];
      if (listed.length > 1)
        findings.push(
          error('audiences', `${line}.audiences`, 'Azure takes one audience for each credential.'),
        );
      if (listed.some((audience) => audience.length > 600)) {
        findings.push(error('audiences', `${line}.audiences`, 'An audience has 600 characters at most.'));
      }
      if (listed.length === 1 && listed[0] !== usualAudience) {
        findings.push(
          warning('audience', `${line}.audiences`, `Azure's own clients ask for ${usualAudience}.`),
        );
      }
      const key = JSON.stringify([issuer, subject]);
      if (taken.has(key))
        findings.push(
          error('twice', line, 'Issuer and subject stand there twice; Azure refuses the second.'),
        );
      taken.add(key);
      return {
        line,
        conditions: [
          ...exact(`${line}.issuer`, 'iss', readTexts(issuer, `${line}.issuer`)),
          ...(listed.length === 0 ? [] : exact(`${line}.audiences`, 'aud', listed)),
          ...exact(`${line}.subject`, 'sub', readTexts(subject, `${line}.subject`)),
          ...(claimsMatchingExpression === undefined || claimsMatchingExpression === null
            ? []
            : [
                { line: `${line}.claimsMatchingExpression`, claim: '', match: 'unread' as const, values: [] },
              ]),
        ],
      };
    });
    return { grants, findings };
  },
};
