import { lstat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { CommandError, show } from '../errors.ts';
import { addFormat } from '../format-option.ts';
import type { FormatOption, Terminal } from '../terminal.ts';
import type { Finding, SendCheck } from './check-gateway.ts';
import { reportFindings } from './findings.ts';
import { createSendCheck } from './send-check.ts';

const passportPackage = '@vercel/passport';
/** Whom `@vercel/passport` invents, unless `VERCEL_PASSPORT_DEV_EXTERNAL_SUB` says another. */
const inventedSubject = 'test-user';

/** `doctor app [FOLDER]`: run where the app runs, with its environment. Nothing of the app is executed. */
export function createDoctorApp(terminal: Terminal): Command {
  return addFormat(new Command('app'))
    .description(`check that an app with ${passportPackage} invents nobody where no token came`)
    .argument('[folder]', 'where the app is installed', '.')
    .option('--url <url>', 'also ask the app itself, around the gateway, at a page that shows who is there')
    .addHelpText(
      'after',
      `
Run it in the container of the app: it looks at the environment that it is started with.

Example:
  docker exec shop tessera-cli doctor app /srv/shop --url http://127.0.0.1:3000/me`,
    )
    .action(async (folder: string, options: FormatOption & { url?: string }) => {
      const { environment } = terminal;
      const findings = [await checkTrap(environment, resolve(terminal.folder, folder))];
      if (options.url !== undefined) {
        findings.push(await checkAround(createSendCheck(), options.url, environment));
      }
      reportFindings(terminal, options, findings);
    });
}

/** The conditions of `@vercel/passport` 1.0: without a token it invents a person unless one of them says otherwise. */
export function inventsPerson(environment: Terminal['environment']): boolean {
  const { VERCEL: onVercel, VERCEL_ENV: name, VERCEL_PASSPORT_DEV: wanted } = environment;
  const isLocal = (onVercel !== '1' || name === 'development') && (!name || name === 'development');
  return isLocal && wanted !== '0' && wanted !== 'false';
}

async function checkTrap(environment: Terminal['environment'], folder: string): Promise<Finding> {
  const check = `without a token ${passportPackage} says that nobody is there`;
  const { VERCEL_ENV: name, VERCEL_PASSPORT_DEV: wanted } = environment;
  if (!inventsPerson(environment)) {
    const isOff = wanted === '0' || wanted === 'false';
    const because = isOff ? `VERCEL_PASSPORT_DEV is ${show(wanted)}` : name && `VERCEL_ENV is ${show(name)}`;
    return { check, found: 'closed', detail: `${because || 'VERCEL is "1"'}.` };
  }
  const trap =
    'would let in whoever comes around the gateway as "test-user": set VERCEL_ENV to the environment of the deployment, or VERCEL_PASSPORT_DEV=0.';
  const installed = await findInstalled(folder);
  return installed === undefined
    ? {
        check,
        found: 'unproven',
        detail: `${passportPackage} is not installed in ${show(folder)} or above. If it is bundled, it ${trap}`,
      }
    : { check, found: 'open', detail: `${show(installed)} ${trap}` };
}

async function findInstalled(start: string): Promise<string | undefined> {
  if (!(await lstat(start).catch(() => undefined))?.isDirectory()) {
    throw new CommandError('folder_missing', `${show(start)} is no folder.`, 'Name the folder of the app.');
  }
  for (let folder = start; ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', ...passportPackage.split('/'));
    // Package managers put links there.
    if (await lstat(path).catch(() => undefined)) return path;
    if (folder === dirname(folder)) return undefined;
  }
}

async function checkAround(
  send: SendCheck,
  url: string,
  { VERCEL_PASSPORT_DEV_EXTERNAL_SUB: subject }: Terminal['environment'],
): Promise<Finding> {
  const check = 'the app, asked around the gateway, knows nobody';
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new CommandError(
      'url_invalid',
      `--url is ${show(url)}; expected an http or https address.`,
      'Give the address at which the app itself listens.',
    );
  }
  try {
    const { status, text } = await send({ url, headers: [['accept', 'application/json, text/html']] });
    if (text.includes(subject || inventedSubject)) {
      return { check, found: 'open', detail: `${status}, with "${subject || inventedSubject}" in it.` };
    }
    return {
      check,
      found: 'unproven',
      detail: `${status}, without "${inventedSubject}": proof only if the page shows who is there.`,
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { check, found: 'unproven', detail: `No answer: ${why}.` };
  }
}
