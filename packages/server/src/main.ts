#!/usr/bin/env node
import { Command } from 'commander';
import { createSystemClock } from '#clock';
import { describeConfig, parseConfig, readMasterKey, type Config, type ConfigProblem } from '#config';
import { DatabaseUnavailable } from '#errors';
import { createLogger } from '#logger';
import { createTessera } from './compose.ts';

/** Exit status of a configuration that cannot be used (sysexits EX_CONFIG). */
const unusableConfiguration = 78;

const program = new Command('tessera')
  .description('The identity layer of a deployment platform')
  .showHelpAfterError();

program
  .command('serve')
  .description('run the server')
  .action(async () => {
    const { config, masterKey } = readConfiguration();
    const logger = createLogger(config.logLevel);
    try {
      const tessera = await createTessera({ config, masterKey, clock: createSystemClock(), logger });
      const { setupLink } = await tessera.listen();
      if (setupLink !== undefined) print(`set-up link: ${setupLink}`);
      print(`listening: ${config.urls.origin}`);
      stopOnSignal(() => tessera.close());
    } catch (error) {
      fail(describeStartFailure(error, config));
    }
  });

program
  .command('config')
  .description('look at the configuration')
  .addCommand(
    new Command('check')
      .description('check every value and print the whole, without secrets')
      .action(() => print(describeConfig(readConfiguration().config))),
  );

await program.parseAsync();

function readConfiguration(): { config: Config; masterKey: Uint8Array } {
  const result = parseConfig(process.env);
  if ('problems' in result) return refuse(result.problems);
  for (const { name, problem } of result.warnings) warn(`warning: ${name} ${problem}`);
  const masterKey = readMasterKey(result.config.masterKey);
  if (!(masterKey instanceof Uint8Array)) return refuse([masterKey]);
  return { config: result.config, masterKey };
}

function refuse(problems: readonly ConfigProblem[]): never {
  const list = problems.map(({ name, problem }) => `  ${name} ${problem}`).join('\n');
  warn(`The configuration cannot be used:\n${list}`);
  process.exit(unusableConfiguration);
}

function describeStartFailure(error: unknown, config: Config): string {
  if (error instanceof DatabaseUnavailable) {
    return `The database does not answer: ${describeCause(error)}. See TESSERA_DATABASE_URL.`;
  }
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `${config.listen.host}:${config.listen.port} is taken by another program; choose another in TESSERA_LISTEN.`;
  }
  return error instanceof Error
    ? `Tessera did not start: ${error.message}\n${describeCause(error)}`
    : 'Tessera did not start.';
}

function describeCause(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

/** The first signal lets running requests end; a second one ends the process at once. */
function stopOnSignal(stop: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      void stop().then(
        () => process.exit(0),
        () => process.exit(1),
      );
    });
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

function fail(line: string): never {
  warn(line);
  process.exit(1);
}
