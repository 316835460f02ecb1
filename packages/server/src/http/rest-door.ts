import type { Permission, Role, Route } from '@tessera/contract';
import type { output } from 'zod';

/** Who calls the REST API: a token, the person it belongs to, and how far it reaches. */
export type Caller = {
  /** `trust-policy`: a workload of another platform, and no person at all. */
  kind: 'api-token' | 'access-token' | 'trust-policy';
  /** The id of the API token, of the app that holds the access token, or of the trust policy. */
  id: string;
  /** The person it belongs to; of a trust policy its own id, which is nobody's. */
  userId: string;
  /** What the token was given; `role` is all that the person's present role allows. */
  permissions: ReadonlySet<Permission> | 'role';
  /** The one team the token is for; otherwise it is for every team of the person. */
  teamId: string | undefined;
  /** Where it may mint build tokens; an owner's explicit gift. */
  builds: readonly { projectId: string; environment: string }[];
  /** Of a trust policy: under which of its grants the token was given. */
  grantRevision?: number | undefined;
};

/** The team that a call names, and the caller's present role in it. */
export type CalledTeam = {
  id: string;
  slug: string;
  role: Role;
  passportEnabled: boolean;
  workloadAlgorithm: 'RS256' | 'ES256';
};

/** A file that came as the body: what it says it is, and at most as large as the route allows. */
export type Upload = { type: string; bytes: Uint8Array };

/** A call that the guard let through: read, valid, of a caller who holds the route's permission. */
export type RestCall<Called extends Route = Route> = {
  caller: Caller;
  team: Called['team'] extends 'none' ? undefined : CalledTeam;
  /**
   * For routes whose permission depends on the object (`anyOf`), or that ask for more by what is sent: throws
   * `forbidden` when the caller may not do this
   * to an object of this project and environment, or to a share link of a deployment of an environment.
   */
  authorize: (
    permission: Permission,
    object: { projectId?: string; environment?: string; shareLinkOf?: string },
  ) => void;
  params: Called['params'] extends object ? output<Called['params']> : Record<string, never>;
  query: Called['query'] extends object ? output<Called['query']> : Record<string, never>;
  body: Called['upload'] extends object
    ? Upload
    : Called['body'] extends object
      ? output<Called['body']>
      : undefined;
  reference: string;
};

/** A route of the contract and what answers it. */
export type RestDoor = { readonly route: Route; readonly answer: (call: never) => Promise<unknown> };

/** Ties an answer to its route, so that its parameters, body and answer have the contract's types. */
export function restDoor<const Called extends Route>(
  route: Called,
  answer: (
    call: RestCall<Called>,
  ) => Promise<Called['answer'] extends object ? output<Called['answer']> : void>,
): RestDoor {
  return { route, answer };
}
