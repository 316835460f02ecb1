import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startDnsServer, type DnsServer } from '../../../../tests/harness/dns-server.ts';
import { createTextLookup, type TextLookup } from './text-lookup.ts';

describe('the text records of a name', () => {
  let server: DnsServer;
  let lookUp: TextLookup;
  beforeAll(async () => {
    server = await startDnsServer();
    lookUp = createTextLookup({ servers: [server.address] });
  });
  afterAll(() => server.close());

  test('are all of them, each one text', async () => {
    server.zone.set('several.shop.com', { texts: [['one'], ['two ', 'in ', 'pieces'], ['']] });
    expect(await lookUp('several.shop.com')).toEqual({
      is: 'answered',
      texts: ['one', 'two in pieces', ''],
    });
  });

  test('are none where the name is not there, or has none', async () => {
    server.zone.set('empty.shop.com', { texts: [] });
    const none = { is: 'answered', texts: [] };
    expect([await lookUp('nobody.shop.com'), await lookUp('empty.shop.com')]).toEqual([none, none]);
  });

  test('are asked for anew each time', async () => {
    server.zone.set('changing.shop.com', { texts: [['before']] });
    await lookUp('changing.shop.com');
    server.zone.set('changing.shop.com', { texts: [['after']] });
    expect(await lookUp('changing.shop.com')).toEqual({ is: 'answered', texts: ['after'] });
  });

  test('are not those of the name that it is an alias of', async () => {
    server.zone.set('target.elsewhere.com', { texts: [['the proof']] });
    server.zone.set('alias.shop.com', { alias: 'target.elsewhere.com' });
    expect(await lookUp('alias.shop.com')).toEqual({ is: 'alias', target: 'target.elsewhere.com' });
  });

  test('come by TCP when they are many', async () => {
    const texts = Array.from({ length: 200 }, (_, index) => [`${index} `.padEnd(250, 'x')]);
    server.zone.set('many.shop.com', { texts });
    expect(await lookUp('many.shop.com')).toEqual({ is: 'answered', texts: texts.map(([text]) => text) });
  });

  test.each([
    ['SERVFAIL', { code: 2 }, 'SERVFAIL'],
    ['REFUSED', { code: 5 }, 'REFUSED'],
    ['rubbish', 'rubbish', ''],
    ['silence', 'silence', 'in time'],
    ['an answer that is cut and not had whole', 'cut', ''],
  ] as const)(
    'cannot be told after %s, within seconds',
    async (_, answer, word) => {
      server.zone.set('broken.shop.com', answer);
      const begun = Date.now();
      const found = await lookUp('broken.shop.com');
      expect(found).toMatchObject({ is: 'failed', because: expect.stringContaining(word) });
      expect(Date.now() - begun).toBeLessThan(7_000);
    },
    15_000,
  );

  test('cannot be told where no name server is', async () => {
    const nowhere = await startDnsServer();
    await nowhere.close();
    const found = await createTextLookup({ servers: [nowhere.address] })('www.shop.com');
    expect(found).toMatchObject({ is: 'failed' });
  }, 15_000);
});
