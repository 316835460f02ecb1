import { publicError } from '#errors';
import { readQuery, type DoorContext } from '#http';

export type RuntimeQuery = {
  read(name: string): string | undefined;
  /** Throws `invalid_target` for one that is too long. */
  readAudience(): string | undefined;
};

const audienceLimitCharacters = 512;

/** The query of a request at the listener for workloads; a parameter that it does not know is refused. */
export function readRuntimeQuery(context: DoorContext, known: readonly string[]): RuntimeQuery {
  const query = readQuery(context);
  const unknown = [...query.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw publicError('bad_request', {
      description: `The query has "${unknown.slice(0, 64)}". Expected nothing but ${known.map((name) => `"${name}"`).join(', ')}.`,
    });
  }
  return {
    read: (name) => query.get(name),
    readAudience() {
      const audience = query.get('audience');
      if (audience === undefined || audience.length <= audienceLimitCharacters) return audience;
      throw publicError('invalid_target', {
        description: `The audience has more than ${audienceLimitCharacters} characters.`,
      });
    },
  };
}
