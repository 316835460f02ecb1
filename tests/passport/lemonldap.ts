import { spawn, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { findFreePort } from '../harness/free-port.ts';

const portal = '/usr/share/lemonldap-ng/portal';
const modules = ['Plack', 'GD::SecurityImage', 'Image::Magick', 'IO::String', 'Crypt::OpenSSL::RSA'];

/** Whether LemonLDAP::NG and what its portal loads are installed here, as Debian's packages have them. */
export const hasLemonldap =
  spawnSync('perl', [
    '-MLemonldap::NG::Portal::Main',
    ...modules.map((name) => `-M${name}`),
    '-e',
    `exit !-e "${portal}/htdocs/index.psgi"`,
  ]).status === 0;

export type Lemonldap = { issuer: string; close(): void };

/** LemonLDAP::NG's portal as an OpenID provider, with its demonstration accounts (`dwho`, `dwho`). */
export async function startLemonldap(client: {
  clientId: string;
  clientSecret: string;
  redirectUri: string;
}): Promise<Lemonldap> {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-lemonldap-'));
  for (const name of ['conf', 'cache', 'sessions/lock', 'persistent/lock'])
    mkdirSync(join(folder, name), { recursive: true });
  const port = await findFreePort();
  const issuer = `http://localhost:${port}/`;
  writeFileSync(
    join(folder, 'lemonldap-ng.ini'),
    `[all]
logLevel = error
[configuration]
type = File
dirName = ${folder}/conf
localStorage = Cache::FileCache
localStorageOptions = { 'namespace' => 'c', 'cache_root' => '${folder}/cache', 'cache_depth' => 0 }
[portal]
staticPrefix = /static
templateDir = ${portal}/templates
languages = en
[handler]
`,
  );
  writeFileSync(join(folder, 'conf/lmConf-1.json'), JSON.stringify(configurationOf(folder, issuer, client)));
  const child = spawn(
    'plackup',
    ['--host', '127.0.0.1', '--port', String(port), `${portal}/htdocs/index.psgi`],
    {
      env: { ...process.env, LLNG_DEFAULTCONFFILE: join(folder, 'lemonldap-ng.ini') },
      stdio: 'ignore',
    },
  );
  const close = () => {
    child.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await fetch(`http://localhost:${port}/.well-known/openid-configuration`).catch(
      () => undefined,
    );
    if (answer?.status === 200) return { issuer, close };
    await delay(200);
  }
  close();
  throw new Error('LemonLDAP::NG did not answer in 20 seconds');
}

function configurationOf(
  folder: string,
  issuer: string,
  client: { clientId: string; clientSecret: string; redirectUri: string },
): Record<string, unknown> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
  });
  const storage = (name: string) => ({
    Directory: join(folder, name),
    LockDirectory: join(folder, name, 'lock'),
    generateModule: 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256',
  });
  return {
    cfgNum: 1,
    domain: 'localhost',
    portal: issuer,
    key: 'for a test alone',
    authentication: 'Demo',
    userDB: 'Same',
    passwordDB: 'Null',
    registerDB: 'Null',
    portalDisplayRegister: 0,
    portalDisplayResetPassword: 0,
    portalDisplayChangePassword: 0,
    captcha_mail_enabled: 0,
    captcha_register_enabled: 0,
    captcha_login_enabled: 0,
    cfgAuthor: 'test',
    cfgDate: 1,
    demoExportedVars: { cn: 'cn', mail: 'mail', uid: 'uid' },
    exportedVars: { UA: 'HTTP_USER_AGENT' },
    macros: { _whatToTrace: '$uid' },
    whatToTrace: '_whatToTrace',
    groups: {},
    locationRules: { localhost: { default: 'accept' } },
    exportedHeaders: {},
    cookieName: 'lemonldap',
    securedCookie: 0,
    globalStorage: 'Apache::Session::File',
    globalStorageOptions: storage('sessions'),
    persistentStorage: 'Apache::Session::File',
    persistentStorageOptions: storage('persistent'),
    localSessionStorage: 'Cache::FileCache',
    localSessionStorageOptions: { namespace: 's', cache_root: join(folder, 'cache'), cache_depth: 0 },
    issuerDBOpenIDConnectActivation: 1,
    issuerDBOpenIDConnectPath: '^/oauth2/',
    issuerDBOpenIDConnectRule: 1,
    oidcServiceMetaDataIssuer: issuer,
    oidcServiceMetaDataAuthorizeURI: 'authorize',
    oidcServiceMetaDataTokenURI: 'token',
    oidcServiceMetaDataUserInfoURI: 'userinfo',
    oidcServiceMetaDataJWKSURI: 'jwks',
    oidcServiceMetaDataEndSessionURI: 'logout',
    oidcServicePrivateKeySig: privateKey,
    oidcServicePublicKeySig: publicKey,
    oidcServiceKeyIdSig: 'key-1',
    oidcServiceAllowAuthorizationCodeFlow: 1,
    oidcRPMetaDataOptions: {
      tessera: {
        oidcRPMetaDataOptionsClientID: client.clientId,
        oidcRPMetaDataOptionsClientSecret: client.clientSecret,
        oidcRPMetaDataOptionsIDTokenSignAlg: 'RS256',
        oidcRPMetaDataOptionsRedirectUris: client.redirectUri,
        oidcRPMetaDataOptionsBypassConsent: 1,
        oidcRPMetaDataOptionsIDTokenExpiration: 3_600,
        oidcRPMetaDataOptionsAccessTokenExpiration: 3_600,
        oidcRPMetaDataOptionsRequirePKCE: 1,
      },
    },
    oidcRPMetaDataExportedVars: { tessera: { email: 'mail', name: 'cn' } },
  };
}
