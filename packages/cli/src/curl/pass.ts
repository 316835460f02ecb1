import { ProblemError, type Client } from '@tessera/contract';
import { isBypassSecret, type WireNames } from '@tessera/protocol';
import { CommandError, show } from '../errors.ts';
import { mintDevelopmentToken } from '../project/index.ts';
import type { Terminal } from '../terminal.ts';
import type { DeploymentTarget } from './target.ts';

export const passKinds = ['nothing', 'trusted-source', 'bypass'] as const;
export type PassKind = (typeof passKinds)[number];

/** The header that lets a request pass, if it needs one; `end` takes back what was made for it. */
export type Pass = { header: readonly [name: string, value: string] | undefined; end(): Promise<void> };

type Needs = { terminal: Terminal; call: Client; wire: WireNames };

const secretLifeMs = 10 * 60_000;
const nothing: Pass = { header: undefined, end: async () => undefined };

/** What lets a request pass: asked of the instance before, so that nothing is sent that would not help. */
export async function findPass(
  target: DeploymentTarget,
  { asked, ...needs }: Needs & { asked: PassKind | undefined },
): Promise<Pass> {
  const { url, team } = target;
  const { terminal, call, wire } = needs;
  const outcomeWith = async (headers: Record<string, string>) => {
    const body = { host: url.hostname, path: `${url.pathname}${url.search}`, headers };
    return (await call('protection.explain', { query: { teamId: team }, body })).outcome;
  };
  const tries = (kind: PassKind): boolean => asked === undefined || asked === kind;

  if (tries('nothing')) {
    const { is } = await outcomeWith({});
    // Where a visitor would be asked who they are, or told that nothing is here, more is needed.
    if (asked === 'nothing' || !['sign-in', 'password', 'hide'].includes(is)) return nothing;
  }
  const refusals: string[] = [];
  if (tries('trusted-source')) {
    const token = await mintFor(target, terminal, refusals);
    if (token !== undefined) {
      const outcome = await outcomeWith({ [wire.trustedTokenHeader]: token });
      if (outcome.is === 'pass') return { ...nothing, header: [wire.trustedTokenHeader, token] };
      refusals.push(outcome.because);
    }
  }
  if (tries('bypass')) {
    const pass = await findBypass(target, { ...needs, outcomeWith, refusals });
    if (pass !== undefined) return pass;
  }
  throw new CommandError(
    'no_way_in',
    `Nothing lets a request pass at ${url.origin}: ${refusals.join(' ')}`,
    `Set ${wire.automationBypassSecretEnvironment}, call a preview, or ask whoever may write the protection of the project.`,
  );
}

/** A token that is for this host alone; undefined where the project takes none from a developer's machine. */
async function mintFor(
  { url, projectId, team }: DeploymentTarget,
  terminal: Terminal,
  refusals: string[],
): Promise<string | undefined> {
  try {
    return await mintDevelopmentToken(terminal, { idOrName: projectId, team, audience: url.origin });
  } catch (error) {
    refusals.push(refusalOf(error));
    return undefined;
  }
}

async function findBypass(
  { url, team, projectId, environment }: DeploymentTarget,
  {
    terminal,
    call,
    wire,
    outcomeWith,
    refusals,
  }: Needs & {
    outcomeWith(headers: Record<string, string>): Promise<{ is: string; because: string }>;
    refusals: string[];
  },
): Promise<Pass | undefined> {
  const variable = wire.automationBypassSecretEnvironment;
  const given = terminal.environment[variable];
  if (given !== undefined && given !== '') {
    if (!isBypassSecret(given)) {
      throw new CommandError(
        'bypass_invalid',
        `${variable} has ${given.length} characters; expected a bypass secret of 32 letters and digits.`,
        'Correct it, or unset it.',
      );
    }
    const outcome = await outcomeWith({ [wire.bypassHeader]: given });
    if (outcome.is === 'pass') return { ...nothing, header: [wire.bypassHeader, given] };
    refusals.push(`${variable}: ${outcome.because}`);
  }
  const address = { params: { idOrName: projectId }, query: { teamId: team } };
  const generate = {
    note: 'tessera-cli curl',
    environments: [environment],
    expiresAt: Date.now() + secretLifeMs,
  };
  let made;
  try {
    made = await call('protection-bypass.update', { ...address, body: { generate } });
  } catch (error) {
    refusals.push(refusalOf(error));
    return undefined;
  }
  const { secret, id } = made;
  if (secret === undefined || id === undefined || !isBypassSecret(secret)) {
    throw new CommandError(
      'answer_invalid',
      `The instance made no bypass secret for ${url.host}.`,
      'Check its version.',
    );
  }
  terminal.tell(`Made a bypass secret for ${environment}, which ends with this command.`);
  return {
    header: [wire.bypassHeader, secret],
    async end() {
      try {
        const revoke = { secret: id, regenerate: false };
        await call('protection-bypass.update', { ...address, body: { revoke } });
      } catch (error) {
        const until = new Date(generate.expiresAt).toISOString();
        terminal.tell(
          `The bypass secret ${id} could not be revoked (${refusalOf(error)}). It ends at ${until}.`,
        );
      }
    },
  };
}

function refusalOf(error: unknown): string {
  if (error instanceof ProblemError) return error.problem.detail;
  if (error instanceof CommandError) return error.message;
  return error instanceof Error ? show(error.message) : 'the call failed';
}
