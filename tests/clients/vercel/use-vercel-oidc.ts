// What a program does with the unmodified packages. Prints what it got, or the name and words of the error.
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { awsCredentialsProvider as ourCredentialsProvider } from '@tessera/oidc/aws';
import { getVercelOidcToken, getVercelToken, verifyVercelOidcToken } from '@vercel/oidc';
import { awsCredentialsProvider } from '@vercel/oidc-aws-credentials-provider';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const abilities: Readonly<Record<string, (asked: never) => Promise<unknown>>> = {
  get: (options: object) => getVercelOidcToken(options),
  login: () => getVercelToken(),
  verify: async ({ token, ...options }: { token: string }) =>
    (await verifyVercelOidcToken(token, options)).payload,
  async discover({ issuer, audience }: { issuer: string; audience: string }) {
    const document = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
      jwks_uri: string;
    };
    const keySet = createRemoteJWKSet(new URL(document.jwks_uri));
    const { payload } = await jwtVerify(await getVercelOidcToken(), keySet, { issuer, audience });
    return payload;
  },
  aws: (options: { roleArn: string; audience?: string }) => whoAmI(awsCredentialsProvider(options)),
  ourAws: (options: { roleArn: string; audience?: string }) => whoAmI(ourCredentialsProvider(options)),
  sdk: async ({ token, roleArn }: { token: string; roleArn: string }) =>
    (
      await new STSClient({}).send(
        new AssumeRoleWithWebIdentityCommand({
          RoleArn: roleArn,
          RoleSessionName: 'sdk',
          WebIdentityToken: token,
        }),
      )
    ).AssumedRoleUser?.Arn,
};

async function whoAmI(
  credentials: () => Promise<{ accessKeyId: string; secretAccessKey: string }>,
): Promise<unknown> {
  return (await new STSClient({ credentials }).send(new GetCallerIdentityCommand({}))).Arn;
}

const [ability = '', asked = '{}'] = process.argv.slice(2);
try {
  const found = await abilities[ability]?.(JSON.parse(asked) as never);
  console.log(JSON.stringify({ found }));
} catch (error) {
  const { name, message, code } = error as Error & { code?: string };
  console.log(JSON.stringify({ name, message, code }));
}
