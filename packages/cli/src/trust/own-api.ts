import { exact, readObject, readTexts, type Condition, type Verifier } from './condition.ts';
import { teamOfIssuer } from './lint.ts';

/** The options of `verifyOidcToken` of `@tessera/oidc`, which compares all four and knows no wildcard. */
export const ownApi: Verifier = {
  title: 'an own API',
  algorithms: ['RS256', 'ES256'],
  print: ({ issuer, audience, team, project, environments }) => ({
    issuer,
    audience,
    // With the global issuer a name is only unique together with its team.
    project: teamOfIssuer(issuer) === team || project.startsWith('prj_') ? project : `${team}/${project}`,
    environment: [...environments],
  }),
  notes: () => [
    "import { verifyOidcToken } from '@tessera/oidc'; const claims = await verifyOidcToken(token, configuration);",
  ],
  read(configuration) {
    const { issuer, audience, project, environment } = readObject(configuration, 'configuration');
    const issuers = readTexts(issuer, 'issuer') ?? [];
    const around: Condition[] = [
      ...(issuers.length === 0 ? [] : exact('issuer', 'iss', issuers)),
      ...exact('audience', 'aud', readTexts(audience, 'audience')),
      ...exact('environment', 'environment', readTexts(environment, 'environment')),
    ];
    const projects = readTexts(project, 'project');
    if (projects === undefined)
      return { grants: [{ line: 'configuration', conditions: around }], findings: [] };
    const team = issuers.map(teamOfIssuer).find((each) => each !== undefined);
    const grants = projects.map((name) => ({
      line: `project ${JSON.stringify(name)}`,
      conditions: [...around, ...readProject(name, team)],
    }));
    return { grants, findings: [] };
  },
};

function readProject(name: string, team: string | undefined): Condition[] {
  if (name.startsWith('prj_')) return exact('project', 'project_id', [name]);
  const slash = name.indexOf('/');
  const owner = slash < 0 ? team : name.slice(0, slash);
  return [
    ...exact('project', 'project', [name.slice(slash + 1)]),
    ...(owner === undefined ? [] : exact('project', 'owner', [owner])),
  ];
}
