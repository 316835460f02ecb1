// What stands in for ./node where there are no files: edge runtimes and browsers.
import { OidcTokenError } from './errors.ts';
import type { InstanceOptions, Names } from './settings.ts';

export type RefreshAsked = {
  names: Names;
  options: InstanceOptions & { projectId?: string | undefined; teamId?: string | undefined };
  bufferMs: number;
  /** `project_id` of the token that has expired, if there was one. */
  of: unknown;
};

export async function readTokenFile(_path: string, names: Names): Promise<string> {
  throw new OidcTokenError(
    'token_file_unreadable',
    `${names.tokenFileVariable} is set, but this runtime has no files. Set ${names.tokenVariable}, or run in Node.`,
  );
}

export async function refreshToken({ names }: RefreshAsked): Promise<string> {
  throw new OidcTokenError(
    'no_token',
    `There is no workload token: neither ${names.tokenVariable} nor a request with ${names.tokenHeader}. ` +
      'This runtime has no login of a command line to ask for one.',
  );
}
