import type { Door } from './door.ts';
import { newDoor } from './new-door.ts';

/**
 * Health, on a listener of its own that the public never reaches: `/livez` says that the process runs, `/readyz`
 * that it can do its work.
 */
export function createOperationsDoor({ isReady }: { isReady(): Promise<boolean> }): Door {
  const door = newDoor('problem');
  door.get('/livez', (context) => context.json({ status: 'ok' }));
  door.get('/readyz', async (context) => {
    const ready = await isReady();
    return context.json({ status: ready ? 'ok' : 'the database does not answer' }, ready ? 200 : 503);
  });
  return door;
}
