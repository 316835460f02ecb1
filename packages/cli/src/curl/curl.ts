import { createClient } from '@tessera/contract';
import { wireNames } from '@tessera/protocol';
import { Command, Option } from 'commander';
import { createStoredLogin } from '../login/index.ts';
import { readWirePrefix, type Terminal } from '../terminal.ts';
import { checkCurlArguments } from './curl-arguments.ts';
import { findPass, passKinds, type PassKind } from './pass.ts';
import { runCurl } from './run-curl.ts';
import { findTarget, type TargetOptions } from './target.ts';

type Options = TargetOptions & { send?: PassKind };

/** `curl TARGET -- …`: exit status and output are those of the real curl. */
export function createCurl(terminal: Terminal): Command {
  return new Command('curl')
    .description('call a protected deployment, or the REST API, with the right token put in')
    .argument('<target>', 'a path of the linked project’s deployment, or a whole address')
    .argument('[curl-options...]', 'options of curl, after --')
    .option('--deployment <deployment>', 'id, host or address of the deployment that a path is of')
    .option('--environment <name>', 'the newest deployment of this environment (default: production)')
    .option('--api', 'the path is one of the REST API, such as /v2/user')
    .option('--project <project>', 'name or id of the project (default: the linked one)')
    .option('--team <team>', 'slug or id of its team (default: that of the linked project)')
    .addOption(
      new Option(
        '--send <what>',
        'what lets the request pass (default: the first of these that does)',
      ).choices(passKinds),
    )
    .addHelpText(
      'after',
      `
The token goes to curl by an open file, never by its arguments, and curl goes to this one address: redirects are shown,
not followed, and ~/.curlrc is not read. For a deployment the ways in are tried in this order:
  nothing         where the request passes anyway
  trusted-source  a development token of the project, for this host alone
  bypass          the secret in VERCEL_AUTOMATION_BYPASS_SECRET, or a new one that ends with this command

Examples:
  tessera-cli curl /health
  tessera-cli curl /api/orders --environment preview -- -X POST --json '{"item":7}'
  tessera-cli curl https://shop-git-main.example.app/ --team acme -- -sS -o page.html
  tessera-cli curl --api /v2/user`,
    )
    .action(async (given: string, args: string[], options: Options) => {
      const { instance, token } = await createStoredLogin(terminal).use();
      const call = createClient({ baseUrl: instance.api, token });
      const target = await findTarget(given, options, { terminal, call, instance });
      const wire = wireNames(readWirePrefix(terminal));
      const ours = target.is === 'api' ? ['authorization'] : [wire.trustedTokenHeader, wire.bypassHeader];
      checkCurlArguments(args, ours);
      if (target.is === 'api') {
        const header = ['authorization', `Bearer ${token}`] as const;
        process.exitCode = await runCurl({ url: target.url, header, args });
        return;
      }
      const pass = await findPass(target, { terminal, call, wire, asked: options.send });
      try {
        process.exitCode = await runCurl({ url: target.url, header: pass.header, args });
      } finally {
        await pass.end();
      }
    });
}
