import { publicError } from '#errors';
import { FetchFailure, type GuardedFetch } from '#fetch';
import type { Workload } from './workload.ts';
import type { Workloads } from './workloads.ts';

export type StsCredentialsNeeds = {
  fetch: GuardedFetch;
  /** Where `AssumeRoleWithWebIdentity` is asked for; undefined: nowhere. */
  stsUrl: string | undefined;
  workloads: Pick<Workloads, 'mint'>;
};

export type AskedCredentials = {
  /** `arn:aws:iam::123456789012:role/shop`. A token service that is not of AWS may know no roles. */
  roleArn: string | undefined;
  audience: string | undefined;
  /** How long the credentials are to be good for; the role may allow less. */
  durationSeconds: number | undefined;
  actor: string;
  reference: string;
};

/** Temporary credentials of AWS; `expiration` as the token service wrote it (RFC 3339). */
export type StsCredentials = {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: string;
};

export type FindStsCredentials = (workload: Workload, asked: AskedCredentials) => Promise<StsCredentials>;

const usualAudience = 'sts.amazonaws.com';
const usualDurationSeconds = 3_600;
/** The token is presented once, at once. */
const tokenLifetimeSeconds = 300;

/**
 * Credentials of a role for a workload: a token of its own, for the token service alone, is presented to
 * `AssumeRoleWithWebIdentity`. Which role it may have, the role's trust policy says. Nothing of it is kept here.
 *
 * @throws {PublicError} `sts_not_configured`, `sts_refused` with what the service said, `sts_unreachable`, and what a
 *   mint throws
 */
export function createStsCredentials({ fetch, stsUrl, workloads }: StsCredentialsNeeds): FindStsCredentials {
  return async (workload, { roleArn, audience = usualAudience, durationSeconds, actor, reference }) => {
    if (stsUrl === undefined) throw publicError('sts_not_configured');
    const { token } = await workloads.mint(workload, {
      actor,
      audience,
      source: 'aws-credentials',
      reference,
      lifetimeSeconds: tokenLifetimeSeconds,
    });
    const { host } = new URL(stsUrl);
    let response: Response;
    try {
      response = await fetch(stsUrl, {
        method: 'POST',
        body: new URLSearchParams({
          Action: 'AssumeRoleWithWebIdentity',
          Version: '2011-06-15',
          ...(roleArn === undefined ? {} : { RoleArn: roleArn }),
          // CloudTrail then names the deployment, and no workload writes another's name there.
          RoleSessionName: actor,
          DurationSeconds: String(durationSeconds ?? usualDurationSeconds),
          WebIdentityToken: token,
        }),
      });
    } catch (error) {
      if (!(error instanceof FetchFailure)) throw error;
      throw publicError('sts_unreachable', { description: `${host}: ${error.message}.`, cause: error });
    }
    const xml = await response.text();
    const credentials = response.status === 200 ? readAssumedRole(xml) : undefined;
    if (credentials !== undefined) return credentials;
    const refusal = response.status === 200 ? undefined : readStsError(xml);
    if (refusal === undefined || response.status >= 500) {
      throw publicError('sts_unreachable', {
        description: `${host} answered ${response.status}, and no credentials.`,
      });
    }
    throw publicError('sts_refused', {
      // Their words, for whoever configures the role; whatever they repeat of the token stays away.
      description: `${host} refused: ${printable(refusal.replaceAll(token, '[token]'))}`,
    });
  };
}

function readAssumedRole(xml: string): StsCredentials | undefined {
  const within = /<Credentials>([\s\S]*?)<\/Credentials>/.exec(xml)?.[1] ?? '';
  const accessKeyId = readElement(within, 'AccessKeyId');
  const secretAccessKey = readElement(within, 'SecretAccessKey');
  const sessionToken = readElement(within, 'SessionToken');
  const expiration = readElement(within, 'Expiration');
  if (!accessKeyId || !secretAccessKey || !sessionToken || !expiration) return undefined;
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(expiration);
  return isTime ? { accessKeyId, secretAccessKey, sessionToken, expiration } : undefined;
}

function readStsError(xml: string): string | undefined {
  const within = /<Error>([\s\S]*?)<\/Error>/.exec(xml)?.[1] ?? '';
  const code = readElement(within, 'Code');
  return code && `${code}: ${readElement(within, 'Message') ?? ''}`;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function readElement(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]?.trim();
  return text?.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_, entity: string) => entities[entity] ?? '');
}

function printable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, ' ').slice(0, 300);
}
