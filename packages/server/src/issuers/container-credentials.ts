import { PublicError, publicError } from '#errors';
import type { FindStsCredentials, Workload } from '#workloads';
import type { RuntimeQuery } from './runtime-query.ts';

/** The answer that SDKs of AWS read from `AWS_CONTAINER_CREDENTIALS_FULL_URI`. */
export type ContainerCredentials = {
  AccessKeyId: string;
  SecretAccessKey: string;
  Token: string;
  Expiration: string;
  RoleArn?: string;
};

// As the token services write them: `arn:aws-cn:…`, and `arn:minio:iam:::role/…`.
const rolePattern = /^arn:[a-z][a-z-]{1,20}:iam::\d{0,12}:role\/[\w+=,.@/-]{1,600}$/;

/** Credentials in the form of AWS's containers: stock SDKs ask here again by themselves before these expire. */
export async function answerContainerCredentials({
  find,
  workload,
  query,
  reference,
}: {
  find: FindStsCredentials;
  workload: Workload & { deployment: { id: string } };
  query: RuntimeQuery;
  reference: string;
}): Promise<ContainerCredentials> {
  const roleArn = query.read('roleArn');
  if (roleArn !== undefined && !rolePattern.test(roleArn)) {
    throw publicError('bad_request', {
      description: 'The "roleArn" is no name of a role. Expected "arn:aws:iam::123456789012:role/shop".',
    });
  }
  try {
    const found = await find(workload, {
      roleArn,
      audience: query.readAudience(),
      durationSeconds: readDuration(query.read('durationSeconds')),
      actor: workload.deployment.id,
      reference,
    });
    return {
      AccessKeyId: found.accessKeyId,
      SecretAccessKey: found.secretAccessKey,
      Token: found.sessionToken,
      Expiration: found.expiration,
      ...(roleArn === undefined ? {} : { RoleArn: roleArn }),
    };
  } catch (error) {
    if (!(error instanceof PublicError)) throw error;
    // What the SDKs show of a refusal stands in these two members.
    const { code, description, mend, headers, cause } = error;
    const extension = { Code: code, Message: `${description} ${mend}` };
    throw publicError(code, { description, mend, headers, cause, extension });
  }
}

function readDuration(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{3,5}$/.test(text) ? Number(text) : 0;
  if (seconds >= 900 && seconds <= 43_200) return seconds;
  throw publicError('bad_request', {
    description: 'The "durationSeconds" is out of range. Expected whole seconds from 900 to 43200.',
  });
}
