import { tokenEndpointAuthMethods, type TokenEndpointAuthMethod } from '@tessera/protocol';
import { getRoute, type AppDocument } from '@tessera/contract';
import type { Bound } from '#database';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { invalidApp, type App, type AppFields, type AppSecret } from './app.ts';
import type { AppActor, Apps } from './apps.ts';

export type AppRestNeeds = {
  apps: Apps;
  /** The end of all tokens of an app, for the unit that deletes it. */
  endTokens: (appId: string) => readonly Bound<unknown>[];
};

type Body = { [Field in keyof AppDocument]?: AppDocument[Field] | undefined };

/** REST doors of apps and their secrets. */
export function createAppRest({ apps, endTokens }: AppRestNeeds): readonly RestDoor[] {
  /** Another team's app does not exist for this one. */
  async function getApp(id: string, teamId: string): Promise<App> {
    const app = await apps.find(id);
    if (app === undefined || app.teamId !== teamId) {
      throw publicError('not_found', { description: `The team has no app "${id}".` });
    }
    return app;
  }

  async function documentOf(app: App): Promise<AppDocument> {
    return {
      ...app,
      redirectUris: [...app.redirectUris],
      redirectProjects: [],
      postLogoutRedirectUris: [...app.postLogoutRedirectUris],
      backchannelLogoutUri: app.backchannelLogoutUri ?? null,
      scopes: [...app.scopes],
      permissions: [],
      tokenEndpointAuthMethods: [...app.tokenEndpointAuthMethods],
      accessTokenFormat: 'opaque',
      rotateRefreshTokens: true,
      secrets: (await apps.listSecrets(app.id)).map(secretDocument),
    };
  }

  return [
    restDoor(getRoute('apps.create'), async ({ team, body, caller, reference }) => {
      const fields = fieldsOf(body);
      const app = await apps.create(
        team.id,
        {
          slug: body.slug,
          postLogoutRedirectUris: [],
          idTokenSignedResponseAlg: 'RS256',
          requirePkce: true,
          name: body.name,
          redirectUris: body.redirectUris,
          scopes: body.scopes,
          signInAccess: body.signInAccess,
          tokenEndpointAuthMethods: methodsOf(body.tokenEndpointAuthMethods),
          ...fields,
          backchannelLogoutUri: body.backchannelLogoutUri ?? undefined,
        },
        actorOf(caller, reference),
      );
      return documentOf(app);
    }),

    restDoor(getRoute('apps.get'), async ({ team, params }) => documentOf(await getApp(params.id, team.id))),

    restDoor(getRoute('apps.update'), async ({ team, params, body, caller, reference }) => {
      const app = await getApp(params.id, team.id);
      const changes = {
        ...fieldsOf(body),
        ...(body.backchannelLogoutUri === undefined
          ? {}
          : { backchannelLogoutUri: body.backchannelLogoutUri ?? undefined }),
      };
      return documentOf(await apps.update(app, changes, actorOf(caller, reference)));
    }),

    restDoor(getRoute('apps.delete'), async ({ team, params, caller, reference }) => {
      const app = await getApp(params.id, team.id);
      await apps.delete(app, endTokens(app.id), actorOf(caller, reference));
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

/** The fields that were sent, without those that nothing stands behind yet: they are refused, not passed over. */
function fieldsOf(body: Body): Partial<Omit<AppFields, 'backchannelLogoutUri'>> {
  if ((body.redirectProjects ?? []).length > 0) throw notYet('redirectProjects', 'redirectUris');
  if ((body.permissions ?? []).length > 0) throw notYet('permissions', 'scopes');
  if (body.accessTokenFormat === 'jwt') throw notYet('accessTokenFormat', '"opaque"');
  if (body.rotateRefreshTokens === false) throw notYet('rotateRefreshTokens', 'true');
  const {
    name,
    slug,
    redirectUris,
    postLogoutRedirectUris,
    scopes,
    signInAccess,
    idTokenSignedResponseAlg,
    requirePkce,
    tokenEndpointAuthMethods: methods,
  } = body;
  return {
    ...(name === undefined ? {} : { name }),
    ...(slug === undefined ? {} : { slug }),
    ...(redirectUris === undefined ? {} : { redirectUris }),
    ...(postLogoutRedirectUris === undefined ? {} : { postLogoutRedirectUris }),
    ...(scopes === undefined ? {} : { scopes: [...new Set(scopes)] }),
    ...(signInAccess === undefined ? {} : { signInAccess }),
    ...(idTokenSignedResponseAlg === undefined ? {} : { idTokenSignedResponseAlg }),
    ...(requirePkce === undefined ? {} : { requirePkce }),
    ...(methods === undefined ? {} : { tokenEndpointAuthMethods: methodsOf(methods) }),
  };
}

function methodsOf(methods: readonly string[]): TokenEndpointAuthMethod[] {
  return [...new Set(methods)].map((method) => {
    const known = tokenEndpointAuthMethods.find((one) => one === method);
    if (known === undefined) {
      throw invalidApp(
        'tokenEndpointAuthMethods',
        `"${method}" is not available on this server.`,
        `Use some of ${tokenEndpointAuthMethods.join(', ')}.`,
      );
    }
    return known;
  });
}

function notYet(field: string, instead: string) {
  return invalidApp(field, 'This is not available on this server.', `Use ${instead} instead.`);
}

function secretDocument(secret: AppSecret) {
  return { ...secret, expiresAt: secret.expiresAt ?? null, lastUsedAt: secret.lastUsedAt ?? null };
}

function actorOf(caller: { id: string }, reference: string): AppActor {
  return { id: caller.id, reference };
}
