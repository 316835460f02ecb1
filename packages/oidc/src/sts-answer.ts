import type { AwsCredentials } from './aws.ts';

/** The credentials of an `AssumeRoleWithWebIdentityResponse`; undefined when it is none. */
export function readAssumedRole(xml: string): AwsCredentials | undefined {
  const credentials = /<Credentials>([\s\S]*?)<\/Credentials>/.exec(xml)?.[1] ?? '';
  const [accessKeyId, secretAccessKey, sessionToken, expires] = [
    'AccessKeyId',
    'SecretAccessKey',
    'SessionToken',
    'Expiration',
  ].map((name) => readElement(credentials, name));
  const expiration = new Date(expires ?? '');
  if (!accessKeyId || !secretAccessKey || !sessionToken || Number.isNaN(expiration.getTime())) {
    return undefined;
  }
  return { accessKeyId, secretAccessKey, sessionToken, expiration };
}

/** `AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity`. */
export function readStsError(xml: string): string | undefined {
  const error = /<Error>([\s\S]*?)<\/Error>/.exec(xml)?.[1] ?? '';
  const code = readElement(error, 'Code');
  return code && `${code}: ${readElement(error, 'Message') ?? ''}`;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

function readElement(xml: string, name: string): string | undefined {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1]?.trim();
  return text?.replaceAll(/&(amp|lt|gt|quot|apos);/g, (_, entity: string) => entities[entity] ?? '');
}
