#!/usr/bin/env node
import { Command } from 'commander';
import { createCurl } from './curl/index.ts';
import { createDoctorApp, createDoctorGateway } from './doctor/index.ts';
import { createLogin, createLogout, createWhoami } from './login/index.ts';
import { createEnvPull, createLink, createProjectToken } from './project/index.ts';
import { createRestCommands } from './rest/index.ts';
import { createSignInExplain } from './signin/index.ts';
import { describeFailure, type Terminal } from './terminal.ts';
import { createTrust, readTextFile } from './trust/index.ts';
import { createWorkloadToken } from './workload/index.ts';

const isUnset = (value: string | undefined): boolean => /^(?:|0|false)$/i.test(value ?? '');
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const terminal: Terminal = {
  environment: process.env,
  folder: process.cwd(),
  hasReader: Boolean(process.stdout.isTTY),
  hasPerson: Boolean(process.stdin.isTTY && process.stderr.isTTY) && isUnset(process.env['CI']),
  print,
  tell: (line) => void process.stderr.write(`${line}\n`),
};

const program = new Command('tessera-cli')
  .description('The command line of a Tessera instance')
  .showHelpAfterError()
  .addCommand(createLogin(terminal))
  .addCommand(createLogout(terminal))
  .addCommand(createWhoami(terminal))
  .addCommand(createLink(terminal))
  .addCommand(
    new Command('env')
      .description('environment variables of the linked project')
      .addCommand(createEnvPull(terminal)),
  )
  .addCommand(new Command('project').description('projects').addCommand(createProjectToken(terminal)))
  .addCommand(
    new Command('workload')
      .description('the workload that this runs in')
      .addCommand(createWorkloadToken(terminal)),
  )
  .addCommand(createCurl(terminal))
  .addCommand(
    new Command('signin')
      .description('sign-ins of people and visitors')
      .addCommand(createSignInExplain(terminal)),
  )
  .addCommand(
    new Command('doctor')
      .description('find out what is wrong')
      .addCommand(createDoctorGateway(terminal))
      .addCommand(createDoctorApp(terminal)),
  )
  .addCommand(
    createTrust({ print, remark: terminal.tell, read: readTextFile, now: () => Date.now() / 1000 }),
  );

for (const noun of createRestCommands(terminal)) program.addCommand(noun);

try {
  await program.parseAsync();
} catch (error) {
  const { status, ...failure } = describeFailure(error);
  terminal.tell(
    terminal.hasReader
      ? `${failure.detail}\n${failure.mend}${failure.reference === undefined ? '' : `\nReference: ${failure.reference}`}`
      : JSON.stringify(failure),
  );
  process.exitCode = status;
}
