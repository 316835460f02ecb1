import { isId } from '@tessera/protocol';
import { Command } from 'commander';
import { checkTrust, type Checked, type CheckedLine } from './check.ts';
import { parseConfiguration, TrustInputRefused, type Finding, type Wanted } from './condition.ts';
import { lintTrust, teamOfIssuer, type ExpectedIssuer } from './lint.ts';
import { getVerifier, parseWanted, verifiers } from './verifiers.ts';

export type TrustNeeds = {
  print(line: string): void;
  /** For what a person reads, beside what goes into a file. */
  remark(line: string): void;
  /** The text of a file; `-` is the standard input. */
  read(file: string): string;
  /** Seconds since the epoch. */
  now(): number;
};

type PrintOptions = {
  issuer: string;
  team: string;
  project: string;
  environment: string[];
  audience?: string;
  account?: string;
};

type LintOptions = { issuer?: string; global?: true; json?: true };

const cloud = ['<cloud>', `one of ${Object.keys(verifiers).join(', ')}`] as const;

/** `trust print|lint|check`: exit status 0 when all is well, 1 when an error was found or the token fails, 2 for bad input. */
export function createTrust(needs: TrustNeeds): Command {
  return new Command('trust')
    .description(
      'let a workload in at a cloud or an API: print the configuration, look for mistakes, try a token',
    )
    .addCommand(createPrint(needs))
    .addCommand(createLint(needs))
    .addCommand(createCheck(needs));
}

function createPrint(needs: TrustNeeds): Command {
  return new Command('print')
    .description('print the configuration for a project and its environments')
    .argument(...cloud)
    .requiredOption('--issuer <url>', 'iss of the tokens: {oidc}/{team slug}, or {oidc} in global mode')
    .requiredOption('--team <slug or id>', 'slug, or id when the project has "subjectForm": "ids"')
    .requiredOption('--project <name or id>', 'name or id, as the team')
    .requiredOption('--environment <names...>', 'each environment that is let in')
    .option('--audience <audience>', 'aud of the tokens, where the cloud has none that is usual')
    .option('--account <id>', 'AWS: the account of the identity provider')
    .action((name: string, options: PrintOptions) =>
      refuse(needs, () => {
        const verifier = getVerifier(name);
        const wanted = parseWanted(verifier, { ...options, environments: options.environment });
        const configuration = verifier.print(wanted);
        needs.print(JSON.stringify(configuration, null, 2));
        for (const note of verifier.notes(wanted)) needs.remark(note);
        return report(needs.remark, lintTrust(verifier.read(configuration), expectedOf(wanted)));
      }),
    );
}

function createLint(needs: TrustNeeds): Command {
  return new Command('lint')
    .description('look for the known mistakes in a configuration')
    .argument(...cloud)
    .argument('<file>', 'the configuration as JSON; - reads the standard input')
    .option('--issuer <url>', 'the issuer that it should trust')
    .option('--global', 'it is the issuer of all teams ({oidc}), whatever its address ends with')
    .option('--json', 'print the findings as JSON')
    .action((name: string, file: string, { issuer, global: isGlobal, json }: LintOptions) =>
      refuse(needs, () => {
        const configuration = parseConfiguration(needs.read(file));
        const findings = lintTrust(getVerifier(name).read(configuration), { issuer, isGlobal });
        if (json === undefined) return report(needs.print, findings);
        needs.print(JSON.stringify(findings));
        return findings.every(({ severity }) => severity !== 'error');
      }),
    );
}

function createCheck(needs: TrustNeeds): Command {
  return new Command('check')
    .description('say line by line whether a configuration lets a token in; the signature is not verified')
    .argument(...cloud)
    .argument('<file>', 'the configuration as JSON')
    .requiredOption('--token-file <file>', 'where the token is; - reads the standard input')
    .option('--json', 'print what each line says as JSON')
    .action((name: string, file: string, { tokenFile, json }: { tokenFile: string; json?: true }) =>
      refuse(needs, () => {
        if (file === '-' && tokenFile === '-') {
          throw new TrustInputRefused(
            'Configuration and token cannot both come from the standard input; name a file for one.',
          );
        }
        const configuration = parseConfiguration(needs.read(file));
        const checked = checkTrust(getVerifier(name), configuration, needs.read(tokenFile), needs.now());
        for (const line of json ? [JSON.stringify(checked)] : describe(checked)) needs.print(line);
        return checked.passed;
      }),
    );
}

/** A team's issuer ends with its slug: one that ends otherwise is the issuer of all teams. By ids nobody can tell. */
function expectedOf({ issuer, team }: Wanted): ExpectedIssuer {
  return { issuer, isGlobal: !isId('team', team) && teamOfIssuer(issuer) !== team };
}

function report(print: (line: string) => void, findings: readonly Finding[]): boolean {
  for (const { severity, code, line, detail } of findings)
    print(`${severity.padEnd(7)}  ${code}  ${line}: ${detail}`);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  print(`${errors} errors, ${findings.length - errors} warnings`);
  return errors === 0;
}

function describe({ token, grants, passed }: Checked): string[] {
  const show = ({ line, passed: fits, detail }: CheckedLine) =>
    `${fits ? 'pass' : 'FAIL'}  ${line}: ${detail}`;
  return [
    ...token.map(show),
    ...grants.flatMap((grant) => grant.lines.map(show)),
    passed ? 'let in, if its signature is good (not verified here)' : 'not let in',
  ];
}

function refuse({ remark }: TrustNeeds, act: () => boolean): void {
  try {
    if (!act()) process.exitCode = 1;
  } catch (error) {
    if (!(error instanceof TrustInputRefused)) throw error;
    remark(`error: ${error.message}`);
    process.exitCode = 2;
  }
}
