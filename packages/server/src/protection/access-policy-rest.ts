import { getRoute, type AccessPolicy, type HostKind } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import type { Visitors } from '#visitors';
import { coverageOf, type DeploymentType } from './coverage.ts';
import { evaluateAccessPolicy, explainAccessPolicy, type VisitorFacts } from './access-policy.ts';

type SimulatedProject = {
  id: string;
  name: string;
  passport: { policy: AccessPolicy; deploymentType: DeploymentType } | undefined;
};
type SimulatedSite = {
  hostKind: HostKind;
  deployment: { projectId: string; environment: string };
};

/** Would this visitor pass, and why: the very evaluation of a sign-in, which makes nothing and changes nothing. */
export function createAccessPolicyRest(needs: {
  visitors: Pick<Visitors, 'findOfTeam'>;
  findProject(teamId: string, idOrName: string): Promise<SimulatedProject | undefined>;
  findByHost(host: string): Promise<SimulatedSite | undefined>;
}): readonly RestDoor[] {
  async function findVisitor(teamId: string, sid: string): Promise<VisitorFacts> {
    const session = await needs.visitors.findOfTeam(teamId, sid);
    if (session === undefined) {
      throw publicError('not_found', { description: `The team has no passport session "${sid}".` });
    }
    // As a sign-in sees them: the name is nothing that a policy may ask for.
    const { email, email_verified: emailVerified, name: _, ...claims } = session.claims;
    return { email, emailVerified, claims };
  }

  /** Whether visitors are asked at a host at all. */
  async function findCoverage({ id, name, passport }: SimulatedProject, host: string) {
    const site = await needs.findByHost(host);
    if (site?.deployment.projectId !== id) {
      throw publicError('not_found', {
        description: `The project "${name}" has no deployment at "${host}".`,
      });
    }
    const { hostKind, deployment } = site;
    const { environment } = deployment;
    const { is, because } = coverageOf(passport, { host, environment, hostKind }, 'Passport');
    return { host, covered: is !== 'exempt', because };
  }

  return [
    restDoor(getRoute('passport.simulate'), async ({ team, params, body, authorize }) => {
      const project = await needs.findProject(team.id, params.idOrName);
      if (project === undefined) throw publicError('not_found');
      const policy = body.policy ?? project.passport?.policy;
      if (policy === undefined) {
        throw publicError('bad_request', {
          description: `Passport is off for the project "${project.name}", so that it has no access policy.`,
          mend: "Switch Passport on first, or send the 'policy' that you want to try.",
        });
      }
      const { visitor } = body;
      // Who may try policies of their own on a person learns that person's claims.
      if ('sid' in visitor) authorize('visitor:read', {});
      const facts = 'sid' in visitor ? await findVisitor(team.id, visitor.sid) : visitor;
      return {
        ...evaluateAccessPolicy(policy, facts),
        rules: explainAccessPolicy(policy, facts),
        ...(body.host === undefined ? {} : { coverage: await findCoverage(project, body.host) }),
      };
    }),
  ];
}
