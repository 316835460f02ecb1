import type { JWTPayload } from 'jose';
import { PassportError, show } from './errors.ts';

/** The claims of a visitor's token, with the names of the wire. */
export type PassportClaims = JWTPayload & {
  typ: 'passport';
  owner: string;
  owner_id: string;
  project: string;
  project_id: string;
  environment: string;
  connector_id: string;
  external_sub: string;
};

/** Who is visiting. */
export type PassportIdentity = {
  /** Unique over all teams and connectors. */
  sub: string;
  /** The principal at the identity provider: what to keep in your tables, together with `externalIss`. */
  externalSub: string;
  externalIss: string | undefined;
  connectorId: string;
  /** Slug and id of the team. */
  owner: string;
  ownerId: string;
  project: string;
  projectId: string;
  environment: string;
  deploymentId: string | undefined;
  /** Of the Passport session. */
  sid: string | undefined;
  /** As the identity provider gave it: it may change, and it may be anybody's unless `emailVerified` is true. */
  email: string | undefined;
  emailVerified: boolean;
  name: string | undefined;
  /** True only for what was handed in as `testIdentity`. */
  isTest: boolean;
  /** Everything, with what the connector forwards (`groups`). */
  claims: Readonly<Record<string, unknown>>;
};

const needed = [
  'sub',
  'owner',
  'owner_id',
  'project',
  'project_id',
  'environment',
  'connector_id',
  'external_sub',
] as const;

/** @throws {PassportError} `claim`, when a claim is missing that every such token has */
export function requireClaims(payload: JWTPayload): PassportClaims {
  const missing = needed.find((claim) => typeof payload[claim] !== 'string' || payload[claim] === '');
  if (missing === undefined) return payload as PassportClaims;
  throw new PassportError('claim', `The claim ${missing} is ${show(payload[missing])}; expected a text.`);
}

export function identityOf(claims: PassportClaims, isTest: boolean): PassportIdentity {
  const { sub = '', external_sub: externalSub, connector_id: connectorId } = claims;
  return {
    sub,
    externalSub,
    externalIss: textOf(claims['external_iss']),
    connectorId,
    owner: claims.owner,
    ownerId: claims.owner_id,
    project: claims.project,
    projectId: claims.project_id,
    environment: claims.environment,
    deploymentId: textOf(claims['deployment_id']),
    sid: textOf(claims['sid']),
    email: textOf(claims['email']),
    emailVerified: claims['email_verified'] === true,
    name: textOf(claims['name']),
    isTest,
    claims,
  };
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string' ? claim : undefined;
}
