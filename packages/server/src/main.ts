#!/usr/bin/env node
import { Command, Option } from 'commander';
import { createSystemClock } from '#clock';
import {
  describeConfig,
  findCertificateProblems,
  findCertificateWarnings,
  parseConfig,
  readMasterKey,
  type Config,
  type ConfigProblem,
} from '#config';
import { DatabaseUnavailable, PublicError } from '#errors';
import { describeKeys, describeRevocation, keyAlgorithms, keyPurposes, type KeyRotation } from '#keys';
import { createLogger } from '#logger';
import { composeKeys } from './compose-keys.ts';
import { createTessera } from './compose.ts';

/** Exit status of a configuration that cannot be used (sysexits EX_CONFIG). */
const unusableConfiguration = 78;

/** What a system says of an address that nobody can listen at, in words that name the mend. */
const listenProblems: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is taken by another program; choose another',
  EADDRNOTAVAIL: 'is no address of this machine; give one of its own, or 0.0.0.0 for all,',
  EACCES: 'is for privileged users alone; choose a port from 1024 on, or allow this one,',
  ENOTFOUND: 'is no address that this machine knows; give an address, such as 127.0.0.1,',
};

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

/** Whoever can read the configuration and reach the database is the operator. */
const operator = { id: 'operator' };
const chosen = {
  purpose: new Option('--purpose <purpose>', 'what the keys sign').choices(keyPurposes),
  algorithm: new Option('--algorithm <algorithm>', 'of this algorithm alone').choices(keyAlgorithms),
  team: new Option('--team <id>', 'a team’s own keys, instead of those that teams share'),
};
type Chosen = {
  purpose: (typeof keyPurposes)[number];
  algorithm?: (typeof keyAlgorithms)[number];
  team?: string;
};
const choiceOf = ({ purpose, algorithm, team: teamId }: Chosen) => ({ purpose, algorithm, teamId });

program
  .command('keys')
  .description('look at the signing keys, rotate and revoke them, on the database of a running instance')
  .addCommand(
    new Command('list').description('list the keys and their stages').action(() =>
      withKeys(async (rotation) => {
        const keys = await rotation.list();
        print(process.stdout.isTTY ? describeKeys(keys) : JSON.stringify({ keys }));
      }),
    ),
  )
  .addCommand(
    new Command('rotate')
      .description('publish the next keys of a purpose; they sign when no cached key set is without them')
      .addOption(chosen.purpose.makeOptionMandatory())
      .addOption(chosen.algorithm)
      .addOption(chosen.team)
      .action((options: Chosen) =>
        withKeys(async (rotation) => {
          const keys = await rotation.rotate(choiceOf(options), operator);
          print(process.stdout.isTTY ? describeKeys(keys) : JSON.stringify({ keys }));
        }),
      ),
  )
  .addCommand(
    new Command('revoke')
      .description('take a key out of every key set at once, or all keys of a purpose')
      // An option, since a thumbprint may begin with a hyphen.
      .option('--kid <kid>', 'this one key')
      .addOption(new Option('--purpose <purpose>', 'all keys that sign this').choices(keyPurposes))
      .addOption(chosen.algorithm)
      .addOption(chosen.team)
      .action((options: Partial<Chosen> & { kid?: string }) =>
        withKeys(async (rotation) => {
          const { kid, purpose } = options;
          if ((kid === undefined) === (purpose === undefined)) {
            return fail('Name either one key with --kid, or all keys of a purpose with --purpose.');
          }
          const target = kid === undefined ? choiceOf(options as Chosen) : { kid };
          const revocation = await rotation.revoke(target, operator);
          print(process.stdout.isTTY ? describeRevocation(revocation) : JSON.stringify(revocation));
        }),
      ),
  );

await program.parseAsync();

async function withKeys(work: (rotation: KeyRotation) => Promise<void>): Promise<void> {
  const { config, masterKey } = readConfiguration();
  const logger = createLogger('error');
  try {
    const { rotation, close } = await composeKeys({ config, masterKey, clock: createSystemClock(), logger });
    try {
      await work(rotation);
    } finally {
      await close();
    }
  } catch (error) {
    if (error instanceof PublicError) fail(`${error.message} ${error.mend}`);
    if (error instanceof DatabaseUnavailable) fail(describeStartFailure(error, config));
    const reason = error instanceof Error ? error.message : 'unknown';
    fail(
      `The keys cannot be read: ${reason}. Has this release been started on this database (tessera serve)?`,
    );
  }
}

function readConfiguration(): { config: Config; masterKey: Uint8Array } {
  const result = parseConfig(process.env);
  if ('problems' in result) return refuse(result.problems);
  for (const { name, problem } of result.warnings) warn(`warning: ${name} ${problem}`);
  const masterKey = readMasterKey(result.config.masterKey);
  if (!(masterKey instanceof Uint8Array)) return refuse([masterKey]);
  const problems = findCertificateProblems(result.config);
  if (problems.length > 0) return refuse(problems);
  for (const { name, problem } of findCertificateWarnings(result.config, createSystemClock().now())) {
    warn(`warning: ${name} ${problem}`);
  }
  return { config: result.config, masterKey };
}

function refuse(problems: readonly ConfigProblem[]): never {
  const list = problems.map(({ name, problem }) => `  ${name} ${problem}`).join('\n');
  warn(`The configuration cannot be used:\n${list}`);
  process.exit(unusableConfiguration);
}

function describeStartFailure(error: unknown, config: Config): string {
  if (error instanceof DatabaseUnavailable) {
    return `The database cannot be used: ${describeCause(error)}. See TESSERA_DATABASE_URL.`;
  }
  if (!(error instanceof Error)) return 'Tessera did not start.';
  const problem = 'code' in error ? listenProblems[String(error.code)] : undefined;
  if (problem !== undefined) {
    const places = Object.entries({
      TESSERA_OPERATIONS_LISTEN: config.operationsListen,
      TESSERA_DECISION_LISTEN: config.decisions?.listen,
      TESSERA_WORKLOAD_LISTEN: config.workloadListen,
    });
    // A name that is no address comes without the port that was asked for.
    const [name = 'TESSERA_LISTEN', place = config.listen] =
      places.find(([, one]) =>
        'port' in error ? one?.port === error.port : 'hostname' in error && one?.host === error.hostname,
      ) ?? [];
    return `${place.host}:${place.port} ${problem} in ${name}.`;
  }
  const cause = error.cause instanceof Error ? `\n${error.cause.message}` : '';
  return `Tessera did not start: ${error.message}${cause}`;
}

function describeCause(error: Error): string {
  const cause = error.cause instanceof Error ? error.cause : error;
  // Of several addresses that all failed (an AggregateError) there is only the code.
  return cause.message || ('code' in cause ? String(cause.code) : 'no reason was given');
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
