import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BaseUrls } from '../harness/tessera-environment.ts';
import type { TokenAnswer } from '../harness/sign-in-world.ts';
import { root, run } from './packed.ts';

export type Login = Pick<TokenAnswer, 'access_token' | 'refresh_token' | 'expires_in'>;

/** The folders of a developer who has logged in and linked a project, as the command line leaves them. */
export type DeveloperMachine = {
  /** The linked folder. */
  work: string;
  data: string;
  authFile: string;
  instanceFile: string;
  environment: Record<string, string>;
  logIn(login: Login, more?: { expiresAt?: number }): void;
  link(project: { projectId: string; orgId?: string }): void;
  readLogin(): { origin?: string; token?: string; refreshToken?: string; expiresAt?: number };
  /** Asks for a token in a process of its own. */
  ask(options?: object, more?: Readonly<Record<string, string>>): Promise<Asked>;
  remove(): void;
};

export type Asked = { tokens: string[] } | { code: string; message: string };

export function createDeveloperMachine(urls: Pick<BaseUrls, 'origin' | 'api' | 'oidc'>): DeveloperMachine {
  const folder = mkdtempSync(join(tmpdir(), 'tessera-developer-'));
  const [work, data] = [join(folder, 'work', 'site'), join(folder, 'data')];
  const loginFolder = join(data, 'com.vercel.cli');
  const authFile = join(loginFolder, 'auth.json');
  const instanceFile = join(loginFolder, 'instance.json');
  const environment = { HOME: folder, XDG_DATA_HOME: data };
  mkdirSync(join(work, 'src'), { recursive: true });
  mkdirSync(loginFolder, { recursive: true });
  const writePrivate = (path: string, value: object): void => {
    writeFileSync(path, JSON.stringify(value), { mode: 0o600 });
    chmodSync(path, 0o600);
  };
  writePrivate(instanceFile, { origin: urls.origin, api: urls.api, oidc: urls.oidc });
  return {
    work,
    data,
    authFile,
    instanceFile,
    environment,
    logIn: (login, more = {}) =>
      writePrivate(authFile, {
        origin: urls.origin,
        token: login.access_token,
        refreshToken: login.refresh_token,
        expiresAt: more.expiresAt ?? Math.floor(Date.now() / 1000) + login.expires_in,
      }),
    link(project) {
      mkdirSync(join(work, '.vercel'), { recursive: true });
      writeFileSync(join(work, '.vercel', 'project.json'), JSON.stringify({ ...project, projectName: 'x' }));
    },
    readLogin: () => JSON.parse(readFileSync(authFile, 'utf8')) as ReturnType<DeveloperMachine['readLogin']>,
    async ask(options = {}, more = {}) {
      // From below the linked folder: it is found in the nearest one above.
      const { status, stdout, stderr } = await run(
        join(work, 'src'),
        [join(root, 'tests', 'packages', 'print-token.ts'), JSON.stringify(options)],
        { ...environment, ...more },
      );
      if (status !== 0) throw new Error(`asking for a token failed: ${stderr}`);
      return JSON.parse(stdout) as Asked;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
