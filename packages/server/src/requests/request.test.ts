import { expect, test } from 'vitest';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createShiftedClock } from '#clock';
import type { AuthorizationParameters } from './request.ts';
import { requestMigrations } from './request-migrations.ts';
import { createRequests } from './request-store.ts';

const unread: AuthorizationParameters = {
  clientId: 'https://app.example/client',
  redirectUri: 'https://app.example/cb',
  responseMode: 'query',
  scopes: [],
  resources: [],
  prompts: [],
  unread: { client_id: 'https://app.example/client', state: '"unread":{}' },
};
const asking = (scopes: string[]): AuthorizationParameters => ({
  clientId: unread.clientId,
  redirectUri: unread.redirectUri,
  responseMode: 'query',
  scopes,
  resources: [],
  prompts: [],
  state: '"unread":{}',
});

describeOnBothDatabases('authorization requests', (openDatabase) => {
  test('what a metadata document asks for is settled once: a consent page shows what is allowed by it', async () => {
    const database = await openDatabase([...requestMigrations], createShiftedClock());
    const requests = createRequests({ database });
    const { id, statement } = requests.create({ parameters: unread, reference: 'ref_1', browserId: 'b' });
    await database.write([statement]);
    const [first, second] = [await requests.find(id), await requests.find(id)];
    expect(
      await database.tryWrite([requests.settle(id, first?.parameters ?? unread, asking(['openid']))]),
    ).toMatchObject({ committed: true });
    expect(
      await database.tryWrite([
        requests.settle(id, second?.parameters ?? unread, asking(['openid', 'email'])),
      ]),
    ).toMatchObject({ committed: false });
    expect((await requests.find(id))?.parameters.scopes).toEqual(['openid']);
  });
});
