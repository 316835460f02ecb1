import { describe, expect, it } from 'vitest';
import { QueueFull, createBoundedQueue } from './bounded-queue.ts';
import { createPasswords } from './passwords.ts';
import { parsePasswordHash } from './phc.ts';

describe('passwords', () => {
  const passwords = createPasswords();

  it('writes a PHC string of argon2id with at least 46 MiB', async () => {
    const hash = await passwords.hash('a sentence of five words');
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=47104,t=1,p=1\$/);
    expect(parsePasswordHash(hash)?.tag).toHaveLength(32);
  });

  it('takes a password exactly as received', async () => {
    const hash = await passwords.hash(' spaces around \u0000and é ');
    expect((await passwords.verify(' spaces around \u0000and é ', hash)).matches).toBe(true);
    for (const other of [
      'spaces around \u0000and é ',
      ' spaces around ',
      ' spaces around \u0000and e\u0301 ',
    ]) {
      expect((await passwords.verify(other, hash)).matches).toBe(false);
    }
  });

  it('reads every character of a long password', async () => {
    const long = 'x'.repeat(1023);
    const hash = await passwords.hash(`${long}a`);
    expect((await passwords.verify(`${long}b`, hash)).matches).toBe(false);
  });

  it('never matches without a stored hash, or with one it cannot read', async () => {
    expect(await passwords.verify('anything at all', undefined)).toEqual({
      matches: false,
      needsRehash: false,
    });
    expect((await passwords.verify('anything at all', '$2b$10$abc')).matches).toBe(false);
  });

  it('asks for a new hash when the stored one is weaker', async () => {
    const weak = createPasswords({ parameters: { memory: 1024, passes: 1, parallelism: 1 } });
    const hash = await weak.hash('a sentence of five words');
    expect(await passwords.verify('a sentence of five words', hash)).toEqual({
      matches: true,
      needsRehash: true,
    });
  });

  it('has published parameters that another implementation would read', () => {
    // The form of the reference implementation's command line, with padding left out.
    const hash = parsePasswordHash(
      '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$RdescudvJCsgt3ub+b1dWRWJTmaQgmbHV9DCP0YoLyc',
    );
    expect(hash).toMatchObject({ memory: 65536, passes: 2, parallelism: 1 });
    expect(hash?.salt.toString()).toBe('somesalt');
  });
});

describe('the bounded queue', () => {
  it('runs no more than its places at a time, in order, and refuses beyond its limit', async () => {
    const queue = createBoundedQueue(2, 3);
    let running = 0;
    let most = 0;
    const ended: number[] = [];
    const work = (name: number) => async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      ended.push(name);
    };
    const accepted = [1, 2, 3, 4, 5].map((name) => queue.run(work(name)));
    await expect(queue.run(work(6))).rejects.toBeInstanceOf(QueueFull);
    await Promise.all(accepted);
    expect(most).toBe(2);
    expect(ended).toEqual([1, 2, 3, 4, 5]);
    await queue.run(work(7));
  });

  it('frees the place of work that fails', async () => {
    const queue = createBoundedQueue(1, 0);
    await expect(queue.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(queue.run(() => Promise.resolve('yes'))).resolves.toBe('yes');
  });
});
