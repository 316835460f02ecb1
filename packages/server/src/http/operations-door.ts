import { publicError } from '#errors';
import type { Door } from './door.ts';
import { newDoor } from './new-door.ts';

export type OperationsNeeds = {
  isReady(): Promise<boolean>;
  /** What answers at a host; undefined where nothing does. */
  findByHost(host: string): Promise<object | undefined>;
};

/**
 * For whoever runs this service, on a listener of its own that the public never reaches: `/livez` says that the
 * process runs, `/readyz` that it can do its work, `/known-host?domain=` that a deployment answers there. The last is
 * what a proxy asks that gets certificates by itself, so that nobody makes it ask for names that are none of ours.
 */
export function createOperationsDoor({ isReady, findByHost }: OperationsNeeds): Door {
  const door = newDoor('problem');
  door.get('/livez', (context) => context.json({ status: 'ok' }));
  door.get('/readyz', async (context) => {
    const ready = await isReady();
    return context.json({ status: ready ? 'ok' : 'the database does not answer' }, ready ? 200 : 503);
  });
  door.get('/known-host', async (context) => {
    const domain = context.req.query('domain')?.toLowerCase() ?? '';
    if ((await findByHost(domain)) !== undefined) return context.json({ status: 'ok' });
    throw publicError('not_found', {
      description: `No deployment answers at ${JSON.stringify(domain)}.`,
      mend: 'Ask with ?domain= and the name of a host alone, without a port.',
    });
  });
  return door;
}
