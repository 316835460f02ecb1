import { wireNames } from '@tessera/protocol';
import { expect, test } from 'vitest';
import { auditMigrations, createAudit } from '#audit';
import { createShiftedClock } from '#clock';
import type { OAuthError } from '#errors';
import { describeOnBothDatabases } from '../../../../tests/harness/both-databases.ts';
import { createTokens, tokenMigrations, type TokenFamily } from './index.ts';

const context = {
  teamId: 'team_a',
  reference: 'req_test',
  form: { accessTokenFormat: 'opaque', idTokenSignedResponseAlg: 'RS256' },
} as const;
const urls = { origin: 'https://tessera.example', api: 'https://api.tessera.example' };
const keys = {
  sign: () => Promise.reject(new Error('an opaque token needs no key')),
  isInForce: () => false,
};
const scopes = ['openid', 'email', 'offline_access'];
const reach = { scopes, resources: [] };
const present = (value: string | undefined): string => {
  if (value === undefined) throw new Error('a token was expected');
  return value;
};

describeOnBothDatabases('a token family', (openDatabase) => {
  const open = async () => {
    const clock = createShiftedClock();
    const database = await openDatabase([...tokenMigrations, ...auditMigrations], clock);
    const audit = createAudit({ database, clock });
    const tokens = createTokens({ database, clock, audit, keys, wire: wireNames('vercel'), urls });
    const family: TokenFamily = {
      id: tokens.allotFamilyId(),
      clientId: 'cl_a',
      userId: 'usr_a',
      sid: 'sid_a',
      scopes,
      authenticatedAt: clock.now(),
      amr: ['pwd'],
      redirectHost: 'shop.example.com',
      resources: [],
    };
    const { statements, ...issued } = await tokens.prepareFamily(family, reach, context);
    await database.write(statements);
    /** One use through the front of the room: found, then rotated. */
    const use = async (token: string) => {
      const found = await tokens.findRefreshToken(token);
      if (found === undefined) throw new Error('unknown token');
      return tokens.refresh(token, found, reach, context);
    };
    const isActive = async (accessToken: string) => (await tokens.findAccessToken(accessToken)) !== undefined;
    /** All at once, over connections that are there: a hundred that wait for the first ones is another test. */
    const useAtOnce = async (count: number, tokenOf: (index: number) => string) => {
      await Promise.all(Array.from({ length: 10 }, () => isActive(issued.accessToken)));
      return Promise.allSettled(Array.from({ length: count }, (_, index) => use(tokenOf(index))));
    };
    const first = { accessToken: issued.accessToken, refreshToken: present(issued.refreshToken) };
    return { clock, database, audit, tokens, family, first, use, useAtOnce, isActive };
  };
  const outcomes = (results: readonly PromiseSettledResult<{ refreshToken?: string }>[]) => ({
    successors: new Set(
      results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.refreshToken] : [])),
    ),
    errors: results.flatMap((result) => (result.status === 'rejected' ? [result.reason as OAuthError] : [])),
  });

  test('is refreshed by a new pair; what was in flight stays', async () => {
    const { first, use, isActive } = await open();
    const second = await use(first.refreshToken);
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect(await isActive(first.accessToken)).toBe(true);
    expect(await isActive(second.accessToken)).toBe(true);
  });

  test('gives a retry the same successor, and a fresh access token in place of the lost one', async () => {
    const { clock, first, use, isActive } = await open();
    const lost = await use(first.refreshToken);
    clock.advance(29_000);
    const again = await use(first.refreshToken);
    expect(again.refreshToken).toBe(lost.refreshToken);
    expect(again.accessToken).not.toBe(lost.accessToken);
    expect(await isActive(lost.accessToken)).toBe(false);
    expect(await isActive(again.accessToken)).toBe(true);
    await use(present(again.refreshToken));
  });

  test('ends when a used token comes after 30 s, counted from its first use', async () => {
    const { clock, first, use, isActive, audit, family } = await open();
    const second = await use(first.refreshToken);
    clock.advance(20_000);
    const third = await use(first.refreshToken);
    expect(third.refreshToken).toBe(second.refreshToken);
    clock.advance(11_000);
    await expect(use(first.refreshToken)).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(use(present(second.refreshToken))).rejects.toMatchObject({ error: 'invalid_grant' });
    expect(await isActive(first.accessToken)).toBe(false);
    expect(await isActive(third.accessToken)).toBe(false);
    const [newest] = await audit.listOfTeam('team_a', { limit: 1 });
    expect(newest).toMatchObject({
      action: 'token-family.revoke',
      object: family.id,
      after: { reason: 'refresh_token_reuse', isSecurityEvent: true },
    });
  });

  test('ends when a token comes again whose successor was used', async () => {
    const { first, use } = await open();
    const second = await use(first.refreshToken);
    const third = await use(present(second.refreshToken));
    await expect(use(first.refreshToken)).rejects.toMatchObject({ error: 'invalid_grant' });
    await expect(use(present(third.refreshToken))).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  test('gives a hundred uses at once one successor, and leaves one access token of them in force', async () => {
    const { first, useAtOnce, isActive } = await open();
    const results = await useAtOnce(100, () => first.refreshToken);
    const { successors, errors } = outcomes(results);
    expect(errors).toEqual([]);
    expect(successors.size).toBe(1);
    const given = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value.accessToken] : [],
    );
    const active = await Promise.all(given.map(isActive));
    expect(active.filter(Boolean)).toHaveLength(1);
  });

  test('gives a hundred late uses nothing and ends', async () => {
    const { clock, first, use, useAtOnce, isActive } = await open();
    const second = await use(first.refreshToken);
    clock.advance(31_000);
    const late = await useAtOnce(100, () => first.refreshToken);
    expect(outcomes(late).successors.size).toBe(0);
    expect(await isActive(second.accessToken)).toBe(false);
  });

  test('never has two live leaves, whatever two tokens of it are used at once', async () => {
    const { first, use, useAtOnce } = await open();
    const second = present((await use(first.refreshToken)).refreshToken);
    const results = await useAtOnce(60, (index) => (index % 2 === 0 ? first.refreshToken : second));
    const { successors } = outcomes(results);
    successors.delete(second);
    expect(successors.size).toBeLessThanOrEqual(1);
    const leaf = [...successors][0];
    // The old token came after the new one was used: that is reuse, whichever was answered first.
    await expect(use(leaf ?? second)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  test('expires 30 days after its first token, however often it was refreshed', async () => {
    const { clock, first, use } = await open();
    clock.advance(29 * 24 * 60 * 60 * 1000);
    const second = await use(first.refreshToken);
    clock.advance(24 * 60 * 60 * 1000 + 1000);
    await expect(use(present(second.refreshToken))).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  test('ends with any of its tokens, and only for its own client', async () => {
    const { first, use, tokens, isActive } = await open();
    expect(await tokens.revoke(first.accessToken, 'cl_b', context)).toBe('foreign');
    expect(await tokens.revoke(first.refreshToken, 'cl_b', context)).toBe('foreign');
    expect(await isActive(first.accessToken)).toBe(true);
    expect(await tokens.revoke(first.accessToken, 'cl_a', context)).toBe('revoked');
    expect(await isActive(first.accessToken)).toBe(false);
    await expect(use(first.refreshToken)).rejects.toMatchObject({ error: 'invalid_grant' });
    expect(await tokens.revoke(first.accessToken, 'cl_a', context)).toBe('unknown');
  });

  test('ends with all tokens of its client', async () => {
    const { database, first, use, tokens, isActive } = await open();
    const own = await tokens.prepareForClient('cl_a', { scopes: [], resources: [] }, context);
    await database.write(own.statements);
    expect(await isActive(own.accessToken)).toBe(true);
    await database.write(tokens.endAllOfClient('cl_a'));
    expect(await isActive(own.accessToken)).toBe(false);
    expect(await isActive(first.accessToken)).toBe(false);
    await expect(use(first.refreshToken)).rejects.toMatchObject({ error: 'invalid_grant' });
  });

  test('has access tokens that live an hour', async () => {
    const { clock, first, isActive } = await open();
    clock.advance(59 * 60 * 1000);
    expect(await isActive(first.accessToken)).toBe(true);
    clock.advance(61 * 1000);
    expect(await isActive(first.accessToken)).toBe(false);
  });
});
