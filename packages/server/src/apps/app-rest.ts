import { getRoute, type AppDocument } from '@tessera/contract';
import type { Audit } from '#audit';
import type { Bound, Database } from '#database';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { appDocument, appFieldsOf, secretDocument } from './app-document.ts';
import type { App, AppFields } from './app.ts';
import { invalidApp } from './app-rules.ts';
import type { AppActor, Apps } from './apps.ts';

export type AppRestNeeds = {
  apps: Apps;
  database: Pick<Database, 'write'>;
  audit: Pick<Audit, 'record'>;
  findUser: (id: string) => Promise<{ isInstanceAdmin: boolean } | undefined>;
  findProject: (
    teamId: string,
    projectId: string,
  ) => Promise<{ id: string; environments: readonly string[] } | undefined>;
  /** The end of all tokens of an app, for the unit that deletes it. */
  endTokens: (appId: string) => readonly Bound<unknown>[];
};

/** REST doors of apps and their secrets. */
export function createAppRest(needs: AppRestNeeds): readonly RestDoor[] {
  const { apps, database, audit, endTokens, findUser, findProject } = needs;

  /** Another team's app does not exist for this one. */
  async function getApp(id: string, teamId: string): Promise<App> {
    const app = await apps.find(id);
    if (app === undefined || app.teamId !== teamId) {
      throw publicError('not_found', { description: `The team has no app "${id}".` });
    }
    return app;
  }

  /** Throws `invalid_app` for a project or environment that the team does not have. */
  async function validateProjects(teamId: string, fields: Partial<AppFields>): Promise<void> {
    for (const field of ['redirectProjects', 'linkedProjects'] as const) {
      for (const { projectId, environments } of fields[field] ?? []) {
        const project = await findProject(teamId, projectId);
        if (project?.id !== projectId) {
          throw invalidApp(
            field,
            `The team has no project "${projectId}".`,
            'Give the id of one of its projects.',
          );
        }
        const stranger = environments.find((name) => !project.environments.includes(name));
        if (stranger === undefined) continue;
        throw invalidApp(
          field,
          `The project has no environment "${stranger}".`,
          `Use some of ${project.environments.join(', ')}.`,
        );
      }
    }
  }

  const documentOf = async (app: App): Promise<AppDocument> =>
    appDocument(app, await apps.listSecrets(app.id));

  return [
    restDoor(getRoute('apps.create'), async ({ team, body, caller, reference }) => {
      const { name, redirectUris, scopes, tokenEndpointAuthMethods, signInAccess } = body;
      const fields = appFieldsOf(body);
      await validateProjects(team.id, fields);
      const required = { name, redirectUris, scopes, tokenEndpointAuthMethods, signInAccess };
      return documentOf(await apps.create(team.id, { ...required, ...fields }, actorOf(caller, reference)));
    }),

    restDoor(getRoute('apps.get'), async ({ team, params }) => documentOf(await getApp(params.id, team.id))),

    restDoor(getRoute('apps.update'), async ({ team, params, body, caller, reference }) => {
      const app = await getApp(params.id, team.id);
      const fields = appFieldsOf(body);
      await validateProjects(team.id, fields);
      return documentOf(await apps.update(app, fields, actorOf(caller, reference)));
    }),

    restDoor(getRoute('apps.delete'), async ({ team, params, caller, reference }) => {
      const app = await getApp(params.id, team.id);
      await apps.delete(app, endTokens(app.id), actorOf(caller, reference));
    }),

    restDoor(getRoute('apps.invalidate-tokens'), async ({ team, params, caller, reference }) => {
      const app = await getApp(params.id, team.id);
      const record = { action: 'app.invalidate-tokens', object: app.id, teamId: app.teamId, reference };
      await database.write([...endTokens(app.id), audit.record({ actor: caller.id, ...record })]);
    }),

    restDoor(getRoute('apps.mark'), async ({ params, body, caller, reference }) => {
      if ((await findUser(caller.userId))?.isInstanceAdmin !== true) {
        throw publicError('forbidden', { description: 'Only instance administrators mark apps.' });
      }
      const app = await apps.find(params.id);
      if (app === undefined)
        throw publicError('not_found', { description: `There is no app "${params.id}".` });
      return documentOf(await apps.update(app, body, actorOf(caller, reference)));
    }),

    restDoor(getRoute('app-secrets.create'), async ({ team, params, body, caller, reference }) => {
      const app = await getApp(params.id, team.id);
      const { secret, clientSecret } = await apps.createSecret(
        app,
        body?.expiresAt,
        actorOf(caller, reference),
      );
      return { ...secretDocument(secret), clientSecret };
    }),

    restDoor(getRoute('app-secrets.delete'), async ({ team, params, query, caller, reference }) => {
      const app = await getApp(params.id, team.id);
      await apps.deleteSecret(app, query.secretId, actorOf(caller, reference));
    }),
  ];
}

function actorOf(caller: { id: string }, reference: string): AppActor {
  return { id: caller.id, reference };
}
