import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, type JWTPayload } from 'jose';
import { listen, type Running } from '../../../examples/listen.ts';

/** Claims of the token that a role wants, as a trust policy of AWS says them: `StringEquals`, `StringLike`. */
export type TrustPolicy = {
  provider: string;
  stringEquals: Readonly<Record<string, string | readonly string[]>>;
  stringLike?: Readonly<Record<string, string>>;
};

export type SecurityTokenService = Running & {
  /** Tokens that were presented, whatever came of them. */
  presented: string[];
};

/**
 * `AssumeRoleWithWebIdentity` and `GetCallerIdentity` of AWS, as far as its documentation says what it checks: the
 * provider's discovery document and key set are fetched, signature, issuer, audience and time verified, and the
 * role's trust policy held against the claims.
 */
export async function startSecurityTokenService(settings: {
  /** OpenID Connect providers of the account, with their client ids. */
  providers: Readonly<Record<string, readonly string[]>>;
  roles: Readonly<Record<string, TrustPolicy>>;
}): Promise<SecurityTokenService> {
  const presented: string[] = [];
  const sessions = new Map<string, { arn: string; sessionToken: string }>();

  async function assumeRole(form: URLSearchParams): Promise<string> {
    const token = form.get('WebIdentityToken') ?? '';
    presented.push(token);
    const policy = settings.roles[form.get('RoleArn') ?? ''];
    if (token.length > 20_000) throw new Refused(400, 'ValidationError', 'Token is too long');
    const claims = await verify(token, settings.providers);
    if (policy === undefined || claims.iss !== policy.provider || !isTrusted(claims, policy)) {
      throw new Refused(403, 'AccessDenied', 'Not authorized to perform sts:AssumeRoleWithWebIdentity');
    }
    const accessKeyId = `ASIA${randomBytes(8).toString('hex').toUpperCase()}`;
    const sessionToken = randomBytes(48).toString('base64');
    const role = String(form.get('RoleArn')).split('/').at(-1) ?? '';
    const arn = `arn:aws:sts::123456789012:assumed-role/${role}/${form.get('RoleSessionName')}`;
    sessions.set(accessKeyId, { arn, sessionToken });
    const expiration = new Date(Date.now() + Number(form.get('DurationSeconds') ?? 3_600) * 1000);
    return answer(
      'AssumeRoleWithWebIdentity',
      `<SubjectFromWebIdentityToken>${claims.sub}</SubjectFromWebIdentityToken><Audience>${String(claims.aud)}</Audience>
<AssumedRoleUser><Arn>${arn}</Arn><AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser>
<Credentials><SessionToken>${sessionToken}</SessionToken><SecretAccessKey>${randomBytes(30).toString('base64')}</SecretAccessKey>
<Expiration>${expiration.toISOString()}</Expiration><AccessKeyId>${accessKeyId}</AccessKeyId></Credentials>
<Provider>${claims.iss}</Provider>`,
    );
  }

  function callerIdentity(authorization: string | undefined, sessionToken: string | undefined): string {
    const accessKeyId = /Credential=([A-Z0-9]+)\//.exec(authorization ?? '')?.[1] ?? '';
    const session = sessions.get(accessKeyId);
    if (session === undefined || session.sessionToken !== sessionToken) {
      throw new Refused(403, 'InvalidClientTokenId', 'The security token included in the request is invalid');
    }
    return answer(
      'GetCallerIdentity',
      `<Arn>${session.arn}</Arn><UserId>AROA:x</UserId><Account>123456789012</Account>`,
    );
  }

  const running = await listen(
    createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.once('end', () => {
        const form = new URLSearchParams(Buffer.concat(chunks).toString());
        const { authorization, 'x-amz-security-token': sessionToken } = request.headers;
        const answering =
          form.get('Action') === 'AssumeRoleWithWebIdentity'
            ? assumeRole(form)
            : Promise.resolve().then(() => callerIdentity(authorization, String(sessionToken)));
        answering.then(
          (xml) => response.writeHead(200, { 'content-type': 'text/xml' }).end(xml),
          (error: unknown) => {
            const { status, code, message } =
              error instanceof Refused ? error : new Refused(500, 'InternalFailure', String(error));
            response
              .writeHead(status, { 'content-type': 'text/xml' })
              .end(
                `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>r</RequestId></ErrorResponse>`,
              );
          },
        );
      });
    }),
    0,
  );
  return { ...running, presented };
}

class Refused extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

async function verify(
  token: string,
  providers: Readonly<Record<string, readonly string[]>>,
): Promise<JWTPayload> {
  const invalid = (why: string) => new Refused(400, 'InvalidIdentityToken', why);
  let issuer: string;
  try {
    issuer = decodeJwt(token).iss ?? '';
  } catch {
    throw invalid('The token is no JWT');
  }
  // The issuer is one that the account has registered, or nothing is fetched.
  const clientIds = providers[issuer];
  if (clientIds === undefined) throw invalid('No OpenIDConnect provider found in your account');
  const document = (await (
    await fetch(`${issuer}/.well-known/openid-configuration`, { redirect: 'error' })
  ).json()) as { issuer: string; jwks_uri: string };
  if (document.issuer !== issuer) throw invalid('The discovery document is of another issuer');
  try {
    const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(document.jwks_uri)), {
      issuer,
      audience: [...clientIds],
      algorithms: ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'],
      requiredClaims: ['sub', 'aud', 'iat', 'exp'],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new Refused(400, 'ExpiredTokenException', 'Token expired');
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

function isTrusted(claims: JWTPayload, { provider, stringEquals, stringLike = {} }: TrustPolicy): boolean {
  const prefix = `${provider.replace(/^https?:\/\//, '')}:`;
  const valueOf = (key: string): unknown =>
    key.startsWith(prefix) ? claims[key.slice(prefix.length)] : undefined;
  return (
    Object.entries(stringEquals).every(([key, wanted]) => [wanted].flat().includes(String(valueOf(key)))) &&
    Object.entries(stringLike).every(([key, pattern]) =>
      new RegExp(`^${pattern.replaceAll(/[.+^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`).test(
        String(valueOf(key)),
      ),
    )
  );
}

function answer(action: string, result: string): string {
  return `<${action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><${action}Result>${result}</${action}Result><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></${action}Response>`;
}
