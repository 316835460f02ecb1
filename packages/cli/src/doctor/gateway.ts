import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { checkGateway, type Finding } from './check-gateway.ts';
import { createSendCheck } from './send-check.ts';

type Options = { connectTo?: string; pass: string[]; decisions?: string; wirePrefix: string; json?: true };

/** `doctor gateway URL`: exit status 0 when nothing is open, 1 when something is. */
export function createDoctorGateway(
  print: (line: string) => void,
  environment: Readonly<Record<string, string | undefined>>,
): Command {
  return new Command('gateway')
    .description('check that a front proxy lets nobody pass about whom nobody decided')
    .argument('<url>', 'a protected page, as visitors reach it')
    .option('--connect-to <address>', 'connect to this address in place of the one that the host has')
    .option(
      '--pass <header...>',
      'headers ("Name: value") with which a request may pass, for a page that echoes its headers',
      [],
    )
    .option(
      '--decisions <url>',
      'the decision listener; its credential is read from TESSERA_DECISION_CREDENTIAL',
    )
    .option('--wire-prefix <prefix>', 'as in TESSERA_WIRE_PREFIX', 'vercel')
    .option('--json', 'print the findings as JSON')
    .action(async (url: string, options: Options) => {
      const credential = environment['TESSERA_DECISION_CREDENTIAL'];
      const { connectTo, decisions, pass, wirePrefix } = options;
      const findings = await checkGateway({
        send: createSendCheck(connectTo === undefined ? {} : { connectTo }),
        url,
        wirePrefix,
        marker: randomBytes(6).toString('hex'),
        ...(pass.length === 0 ? {} : { passing: pass.map(parseHeader) }),
        ...(decisions === undefined || credential === undefined
          ? {}
          : { decisions: { url: decisions, credential } }),
      });
      if (options.json) print(JSON.stringify(findings));
      else for (const line of describe(findings)) print(line);
      if (findings.some(({ found }) => found === 'open')) process.exitCode = 1;
    });
}

function parseHeader(text: string): [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) throw new Error(`'${text}' is not a header; expected "Name: value"`);
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
}

function describe(findings: readonly Finding[]): string[] {
  const lines = findings.map(({ check, found, detail }) => `${found.padEnd(8)}  ${check}. ${detail}`);
  const count = (wanted: Finding['found']) => findings.filter(({ found }) => found === wanted).length;
  return [...lines, `${count('closed')} closed, ${count('open')} open, ${count('unproven')} unproven`];
}
