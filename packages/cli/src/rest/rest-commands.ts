import { createClient, routes, type Client, type Route } from '@tessera/contract';
import { Command, Option } from 'commander';
import { CommandError, show } from '../errors.ts';
import { createStoredLogin } from '../login/index.ts';
import { findProjectLink } from '../project/index.ts';
import type { Terminal } from '../terminal.ts';
import { readBody, readUpload } from './body.ts';

type Values = Record<string, string | boolean | undefined>;

/** Nobody's: what the document itself is for. */
const leftOut: ReadonlySet<string> = new Set(['openapi.get']);

/** `projects list`, `deployments create --data @deployment.json`, …: every call of the contract. */
export function createRestCommands(terminal: Terminal): Command[] {
  const nouns = new Map<string, Command>();
  for (const route of routes as readonly Route[]) {
    if (leftOut.has(route.name)) continue;
    const [name = '', verb = ''] = route.name.split('.');
    const noun = nouns.get(name) ?? new Command(name).helpGroup('REST API:');
    nouns.set(name, noun.addCommand(createVerb(terminal, route, verb)));
  }
  for (const noun of nouns.values()) {
    noun.description(noun.commands.map((verb) => verb.name()).join(', '));
  }
  return [...nouns.values()];
}

function createVerb(terminal: Terminal, route: Route, verb: string): Command {
  const command = new Command(verb).description(`${route.summary} (${route.method} ${route.path})`);
  const params = namesOf(route.path);
  for (const name of params) command.argument(`<${kebabOf(name)}>`, describe(route.params?.shape[name]));
  const fields = Object.entries(route.query?.shape ?? {}).filter(
    ([name]) => !['teamId', 'slug'].includes(name),
  );
  for (const [name, schema] of fields) {
    const option = new Option(`--${kebabOf(name)} <value>`, describe(schema));
    command.addOption(option.makeOptionMandatory(!fieldOf(schema).safeParse(undefined).success));
  }
  if (route.team === 'query')
    command.option('--team <team>', 'slug or id (default: that of the linked project)');
  if (route.body !== undefined) {
    const option = new Option(
      '--data <json>',
      `the body; @FILE or - reads it, as secrets should be${fieldsOf(route.body)}`,
    );
    command.addOption(option.makeOptionMandatory(!route.bodyOptional));
  }
  if (route.upload !== undefined) {
    command.requiredOption('--file <file>', `the file: ${route.upload.types.join(', ')}`);
    command.addOption(
      new Option('--type <type>', 'its media type').choices(route.upload.types).makeOptionMandatory(),
    );
  }
  if (route.fresh)
    command.addHelpText('after', '\nNeeds a login of the last minutes, which only a browser gives.');
  return command.action(async (...given: unknown[]) => {
    const options = given[params.length] as Values;
    const { instance, token } = await createStoredLogin(terminal).use();
    const team = route.team === 'query' ? await findTeam(terminal, options) : undefined;
    const query = Object.fromEntries(fields.map(([name]) => [name, options[camelOf(name)]]));
    const input = {
      params: Object.fromEntries(params.map((name, at) => [name, checkParameter(name, given[at] as string)])),
      query: { ...query, ...(team === undefined ? {} : { teamId: team }) },
      ...(typeof options['data'] === 'string'
        ? { body: await readBody(options['data'], terminal.folder) }
        : {}),
      ...(route.upload === undefined ? {} : { upload: await readUpload(options, terminal.folder) }),
    };
    const call = createClient({ baseUrl: instance.api, token }) as (
      name: string,
      input: object,
    ) => ReturnType<Client>;
    const answer: unknown = await call(route.name, input);
    if (answer !== undefined)
      terminal.print(JSON.stringify(answer, null, terminal.hasReader ? 2 : undefined));
  });
}

async function findTeam(terminal: Terminal, { team }: Values): Promise<string> {
  return typeof team === 'string' ? team : (await findProjectLink(terminal)).orgId;
}

/** Both would be taken for steps in the path of the address. */
function checkParameter(name: string, value: string): string {
  if (value !== '' && value !== '.' && value !== '..') return value;
  throw new CommandError('argument_invalid', `${kebabOf(name)} is ${show(value)}.`, 'Give a name or an id.');
}

function namesOf(path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
}

/** What every schema of the contract has. */
type Field = { description?: string; safeParse(value: unknown): { success: boolean } };
const fieldOf = (schema: unknown): Field => schema as Field;

function describe(schema: unknown): string {
  return schema === undefined ? '' : (fieldOf(schema).description ?? '');
}

function fieldsOf(body: unknown): string {
  const { shape } = body as { shape?: object };
  return shape === undefined ? '' : `: ${Object.keys(shape).join(', ')}`;
}

/** `projectId` → `project-id`. */
function kebabOf(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** As commander names the value of an option. */
function camelOf(name: string): string {
  return kebabOf(name).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
