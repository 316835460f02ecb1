import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { CommandError, show } from '../errors.ts';
import { addFormat } from '../format-option.ts';
import { readWirePrefix, type FormatOption, type Terminal } from '../terminal.ts';
import { checkGateway } from './check-gateway.ts';
import { reportFindings } from './findings.ts';
import { createSendCheck } from './send-check.ts';

type Options = FormatOption & {
  connectTo?: string;
  pass: string[];
  decisions?: string;
  wirePrefix?: string;
};

/** `doctor gateway URL`: exit status 0 when nothing is open, 1 when something is. */
export function createDoctorGateway(
  terminal: Pick<Terminal, 'environment' | 'folder' | 'hasReader' | 'print'>,
): Command {
  return addFormat(new Command('gateway'))
    .description('check that a front proxy lets nobody pass about whom nobody decided')
    .argument('<url>', 'a protected page, as visitors reach it')
    .option('--connect-to <address>', 'connect to this address in place of the one that the host has')
    .option(
      '--pass <header...>',
      'headers ("Name: value"; @FILE has one on each line) with which a request may pass, for a page that echoes its headers',
      [],
    )
    .option(
      '--decisions <url>',
      "the decision listener; the proxy's credential there is read from TESSERA_DECISION_CREDENTIAL",
    )
    .option('--wire-prefix <prefix>', 'of headers and cookies (default: TESSERA_WIRE_PREFIX, or vercel)')
    .action(async (url: string, options: Options) => {
      for (const [name, given] of [
        ['The address', url],
        ['--decisions', options.decisions],
      ] as const) {
        if (given === undefined || /^https?:$/.test(URL.parse(given)?.protocol ?? '')) continue;
        throw new CommandError(
          'url_invalid',
          `${name} is ${show(given)}; expected an http or https address.`,
          'Give it whole, such as https://docs.example.app/.',
        );
      }
      const credential = terminal.environment['TESSERA_DECISION_CREDENTIAL'];
      const { connectTo, decisions, pass, wirePrefix = readWirePrefix(terminal) } = options;
      const findings = await checkGateway({
        send: createSendCheck(connectTo === undefined ? {} : { connectTo }),
        url,
        wirePrefix,
        marker: randomBytes(6).toString('hex'),
        ...(pass.length === 0 ? {} : { passing: readHeaders(pass, terminal.folder) }),
        credential,
        decisions: decisions === undefined ? undefined : { url: decisions },
      });
      reportFindings(terminal, options, findings);
    });
}

/** Given as they are, or in files: what lets a request pass is mostly a secret. */
function readHeaders(given: readonly string[], from: string): [string, string][] {
  return given.flatMap((text) => {
    if (!text.startsWith('@')) return [parseHeader(text)];
    let lines: string;
    try {
      lines = readFileSync(resolve(from, text.slice(1)), 'utf8');
    } catch (cause) {
      throw new CommandError(
        'header_invalid',
        `--pass names the file ${show(text.slice(1))}, which cannot be read.`,
        'Name a file with one header on each line.',
        { cause },
      );
    }
    return lines
      .split(/\r?\n/)
      .filter((line) => line.trim() !== '')
      .map(parseHeader);
  });
}

function parseHeader(text: string): [string, string] {
  const colon = text.indexOf(':');
  if (colon < 1) {
    throw new CommandError(
      'header_invalid',
      'A header of --pass has no colon; expected "Name: value".',
      'Quote the header as a whole.',
    );
  }
  return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
}
