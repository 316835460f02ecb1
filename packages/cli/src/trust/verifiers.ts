import { formatWorkloadSubject, isId, isValidName } from '@tessera/protocol';
import { aws } from './aws.ts';
import { azure } from './azure.ts';
import { TrustInputRefused, type Verifier, type Wanted } from './condition.ts';
import { googleCloud } from './google-cloud.ts';
import { kubernetes } from './kubernetes.ts';
import { minio } from './minio.ts';
import { ownApi } from './own-api.ts';
import { vault } from './vault.ts';

/** Every relying party whose configuration is known here, by its name on the command line. */
export const verifiers = {
  aws,
  'google-cloud': googleCloud,
  azure,
  vault,
  kubernetes,
  minio,
  'own-api': ownApi,
} as const satisfies Readonly<Record<string, Verifier>>;

/** @throws {TrustInputRefused} for a name that is none */
export function getVerifier(name: string): Verifier {
  if (Object.hasOwn(verifiers, name)) return verifiers[name as keyof typeof verifiers];
  throw new TrustInputRefused(
    `'${name}' is not known here; expected one of ${Object.keys(verifiers).join(', ')}.`,
  );
}

/** @throws {TrustInputRefused} for what could not be written into a configuration as it is */
export function parseWanted(
  verifier: Verifier,
  given: Pick<Wanted, 'issuer' | 'team' | 'project' | 'environments' | 'account'> & { audience?: string },
): Wanted {
  const { issuer, team, project, environments, account } = given;
  const audience = given.audience ?? verifier.defaultAudience;
  if (!URL.canParse(issuer) || !/^https?:\/\/[\w.:-]+(?:\/[\w.-]+)*$/.test(issuer)) {
    throw new TrustInputRefused(
      `The issuer is '${issuer}'; expected it as in iss, such as https://oidc.example.com/acme.`,
    );
  }
  if (audience === undefined || !/^[\w.:/@-]{1,600}$/.test(audience)) {
    throw new TrustInputRefused(
      `The audience is ${audience === undefined ? 'missing' : 'not one'}; name the relying party: --audience https://orders.example.com`,
    );
  }
  const byIds = isId('team', team) && isId('prj', project);
  if (!byIds && !(isValidName(team) && isValidName(project))) {
    throw new TrustInputRefused(
      `Team and project are '${team}' and '${project}'; expected both names, or both ids (team_…, prj_…).`,
    );
  }
  const wrong = environments.find((environment) => !isValidName(environment));
  if (wrong !== undefined || environments.length === 0) {
    throw new TrustInputRefused(
      `The environment is '${wrong ?? ''}'; expected names, such as production. There is no wildcard.`,
    );
  }
  const listed = [...new Set(environments)];
  return {
    issuer,
    audience,
    team,
    project,
    environments: listed,
    subjects: listed.map((environment) =>
      formatWorkloadSubject(
        byIds
          ? { form: 'ids', teamId: team, projectId: project, environment }
          : { form: 'names', teamSlug: team, projectName: project, environment },
      ),
    ),
    ...(account === undefined ? {} : { account }),
  };
}
