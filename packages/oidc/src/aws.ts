import { joinPath, parseBaseUrl } from './base-url.ts';
import { OidcTokenError, show } from './errors.ts';
import { getOidcToken, type GetOidcTokenOptions } from './get-oidc-token.ts';
import { readEnvironment } from './settings.ts';
import { readAssumedRole, readStsError } from './sts-answer.ts';

export type AwsCredentialsProviderOptions = GetOidcTokenOptions & {
  /** `arn:aws:iam::123456789012:role/site`; the variable `AWS_ROLE_ARN` unless set. */
  roleArn?: string | undefined;
  /** Of the token service; `AWS_REGION` or `AWS_DEFAULT_REGION` unless set. */
  region?: string | undefined;
  /** How the session is called in CloudTrail: 2 to 64 of `A-Z a-z 0-9 _ + = , . @ -`. */
  roleSessionName?: string | undefined;
  /** How long the credentials are good for: 900 seconds to what the role allows; one hour unless set. */
  durationSeconds?: number | undefined;
  /** Another address of the token service; `AWS_ENDPOINT_URL_STS` unless set. */
  stsUrl?: string | undefined;
};

/** What clients of the AWS SDK take as `credentials`; they ask again before `expiration`. */
export type AwsCredentials = {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  expiration: Date;
};

const timeoutMs = 10_000;

/**
 * Credentials of an AWS role for this workload: its token is presented to `AssumeRoleWithWebIdentity`, so no key of
 * AWS is kept anywhere. Needs no AWS package.
 *
 * @returns a provider, to be given to a client: `new S3Client({ credentials: awsCredentialsProvider({ roleArn }) })`
 * @throws {OidcTokenError} the provider does: `aws_refused` with what AWS said, or what `getOidcToken` throws
 */
export function awsCredentialsProvider(
  options: AwsCredentialsProviderOptions = {},
): () => Promise<AwsCredentials> {
  const {
    roleArn = readEnvironment('AWS_ROLE_ARN'),
    region = readEnvironment('AWS_REGION') ?? readEnvironment('AWS_DEFAULT_REGION'),
    roleSessionName = readEnvironment('AWS_ROLE_SESSION_NAME') ?? 'tessera-oidc',
    durationSeconds = 3_600,
    stsUrl = readEnvironment('AWS_ENDPOINT_URL_STS'),
    ...tokenOptions
  } = options;
  const partition = /^arn:(aws[a-z-]*):iam::\d{12}:role\/[\w+=,.@/-]{1,600}$/.exec(roleArn ?? '')?.[1];
  if (roleArn === undefined || partition === undefined) {
    throw wrongOption('roleArn', roleArn, 'arn:aws:iam::123456789012:role/name');
  }
  if (!/^[\w+=,.@-]{2,64}$/.test(roleSessionName)) {
    throw wrongOption('roleSessionName', roleSessionName, '2 to 64 of A-Z a-z 0-9 _ + = , . @ -');
  }
  if (!Number.isInteger(durationSeconds) || durationSeconds < 900 || durationSeconds > 43_200) {
    throw wrongOption('durationSeconds', durationSeconds, 'whole seconds from 900 to 43200');
  }
  const endpoint = stsEndpoint(stsUrl, region, partition);
  return async () => {
    const token = await getOidcToken(tokenOptions);
    return assumeRole(
      endpoint,
      new URLSearchParams({
        Action: 'AssumeRoleWithWebIdentity',
        Version: '2011-06-15',
        RoleArn: roleArn,
        RoleSessionName: roleSessionName,
        DurationSeconds: String(durationSeconds),
        WebIdentityToken: token,
      }),
    );
  };
}

function stsEndpoint(stsUrl: string | undefined, region: string | undefined, partition: string): URL {
  if (stsUrl !== undefined) {
    const parsed = parseBaseUrl(stsUrl);
    if ('problem' in parsed) throw wrongOption('stsUrl', stsUrl, `a base URL; this ${parsed.problem}`);
    return joinPath(parsed.url, '/');
  }
  // It becomes part of a host's name.
  if (region === undefined || !/^[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}$/.test(region)) {
    throw wrongOption('region', region, 'a region such as eu-central-1, or AWS_REGION to be set');
  }
  const domain = partition === 'aws-cn' ? 'amazonaws.com.cn' : 'amazonaws.com';
  return new URL(`https://sts.${region}.${domain}/`);
}

async function assumeRole(endpoint: URL, body: URLSearchParams): Promise<AwsCredentials> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch (cause) {
    throw new OidcTokenError('aws_refused', `${endpoint.href} could not be reached.`, { cause });
  }
  const credentials = response.status === 200 ? readAssumedRole(text) : undefined;
  if (credentials !== undefined) return credentials;
  const said = readStsError(text) ?? `status ${response.status}`;
  throw new OidcTokenError('aws_refused', `${endpoint.href} gave no credentials: ${said.slice(0, 500)}`);
}

function wrongOption(name: string, received: unknown, expected: string): OidcTokenError {
  return new OidcTokenError(
    'option',
    `awsCredentialsProvider: ${name} is ${show(received)}; expected ${expected}.`,
  );
}
