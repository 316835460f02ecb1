import { prepareDecisions } from '../decisions.ts';
import type { Figure } from '../figure.ts';
import { fill, spreadKey } from '../fill.ts';
import { setUpOpenDeployment } from '../open-deployment.ts';
import { compareSides, connections, type Side } from '../rounds.ts';
import { measure } from '../load/load.ts';
import { startSetUp } from '../tessera.ts';

const few = 100;

/**
 * Decisions about hosts at random among 100,000, against among 100. Nobody has to sign in there, so that nothing but
 * finding the deployment is compared: a decision that does more would hide more of it.
 */
export const hosts: Figure = async (say, count = 100_000) => {
  const upstream = 'http://127.0.0.1:9';
  async function startWith(many: number): Promise<Side> {
    const decisions = await prepareDecisions();
    const { server, made, databaseFile } = await startSetUp(
      say,
      (urls, link) => setUpOpenDeployment(urls, link, upstream),
      decisions.variables,
    );
    fill(
      databaseFile,
      many,
      [
        {
          table: 'deployments',
          where: `"id" = '${made.id}'`,
          columns: { id: `'dpl_' || printf('%024d', i)`, workloadSecretHash: spreadKey(many) },
        },
        {
          table: 'deploymentHosts',
          where: `"deploymentId" = '${made.id}'`,
          columns: {
            host: `printf('site-%06d-bench.app.localhost', i)`,
            deploymentId: `'dpl_' || printf('%024d', i)`,
          },
        },
      ],
      say,
    );
    const { port } = new URL(`http://${made.host}`);
    const hostOf = (index: number) =>
      `site-${String(index + 1).padStart(6, '0')}-bench.app.localhost${port === '' ? '' : `:${port}`}`;
    const request = decisions.requestAbout(hostOf(0));
    const variants = Array.from({ length: many }, (_, index) => ({
      headers: { 'x-forwarded-host': hostOf(index) },
    }));
    say(`asking about each of ${many} hosts once`);
    await measure({ ...request, variants, eachVariantOnce: true, connections, seconds: 0 });
    return {
      name: `among ${many} hosts`,
      server,
      measure: (seconds) => measure({ ...request, variants, connections, seconds }),
    };
  }
  const [ours, theirs] = [await startWith(count), await startWith(few)];
  return compareSides('hosts', ours, [{ ...theirs, atLeast: 1 / 1.1 }], say);
};
