import { createServer } from 'node:http';
import { awsCredentialsProvider, type AwsCredentialsProviderOptions } from '@tessera/oidc/aws';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { listen, type Running } from '../../examples/listen.ts';
import { startSigningIssuer, workloadClaims, type SigningIssuer } from './signing-issuer.ts';

// That AWS's own client takes what this gives, and that the token is one AWS trusts: tests/clients/vercel.

const roleArn = 'arn:aws:iam::123456789012:role/site';

let issuer: SigningIssuer;
let sts: Running;
let answer: { status: number; body: string; headers?: Record<string, string> };
let received: URLSearchParams;
beforeAll(async () => {
  issuer = await startSigningIssuer();
  sts = await listen(
    createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (part: string) => (body += part));
      request.once('end', () => {
        received = new URLSearchParams(body);
        response.writeHead(answer.status, answer.headers).end(answer.body);
      });
    }),
    0,
  );
});
afterAll(async () => {
  await issuer?.close();
  await sts?.close();
});
afterEach(() => vi.unstubAllEnvs());

const credentials = `<A><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>a/b+c&amp;d</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></A>`;

async function ask(options: AwsCredentialsProviderOptions = {}) {
  const token = await issuer.sign(workloadClaims(issuer.url));
  vi.stubEnv('VERCEL_OIDC_TOKEN', token);
  return awsCredentialsProvider({ roleArn, stsUrl: sts.url, ...options })();
}

describe('credentials of AWS', () => {
  test('come for the token of the workload', async () => {
    answer = { status: 200, body: credentials };
    await expect(ask({ roleSessionName: 'build-7', durationSeconds: 900 })).resolves.toEqual({
      accessKeyId: 'ASIA1',
      secretAccessKey: 'a/b+c&d',
      sessionToken: 't',
      expiration: new Date('2030-01-01T00:00:00Z'),
    });
    expect(Object.fromEntries(received)).toMatchObject({
      Action: 'AssumeRoleWithWebIdentity',
      Version: '2011-06-15',
      RoleArn: roleArn,
      RoleSessionName: 'build-7',
      DurationSeconds: '900',
    });
  });

  test('are refused with what AWS said', async () => {
    answer = {
      status: 403,
      body: '<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not &lt;you&gt;</Message></Error></ErrorResponse>',
    };
    await expect(ask()).rejects.toMatchObject({
      code: 'aws_refused',
      message: expect.stringContaining('AccessDenied: Not <you>') as string,
    });
  });

  test.each([
    [200, '<html>'],
    [200, '{"AccessKeyId":"x"}'],
    [200, credentials.replace('2030-01-01T00:00:00Z', 'soon')],
    [500, ''],
    [307, ''],
  ])('are not made up from an answer of status %i with %s', async (status, body) => {
    answer = { status, body, headers: { location: issuer.url } };
    await expect(ask()).rejects.toMatchObject({ code: 'aws_refused' });
  });

  test.each<AwsCredentialsProviderOptions>([
    { roleArn: undefined },
    { roleArn: 'site' },
    { roleArn: 'arn:aws:iam::123456789012:user/site' },
    { roleSessionName: 'a b' },
    { durationSeconds: 60 },
    { durationSeconds: 1_000_000 },
    { stsUrl: 'http://sts.example' },
    { stsUrl: undefined, region: undefined },
    { stsUrl: undefined, region: 'evil.example/' },
    { stsUrl: undefined, region: 'eu-central-1.evil.example#' },
  ])('are not asked for with %j', (options) => {
    vi.stubEnv('AWS_REGION', '');
    vi.stubEnv('AWS_DEFAULT_REGION', '');
    expect(() => awsCredentialsProvider({ roleArn, stsUrl: sts.url, ...options })).toThrow(
      expect.objectContaining({ code: 'option' }) as Error,
    );
  });
});
