import { describe, expect, it } from 'vitest';
import { createSealing, equalInConstantTime, hashSecret } from './index.ts';

const sealing = createSealing(new Uint8Array(32).fill(7));

describe('sealing', () => {
  it('opens what it sealed, in its place', async () => {
    const sealed = await sealing.seal('connector', 'hush', 'scl_1');
    expect(sealed).not.toContain('hush');
    expect(await sealing.open('connector', sealed, 'scl_1')).toBe('hush');
  });

  it('refuses another place, another purpose, another key and a changed value', async () => {
    const sealed = await sealing.seal('connector', 'hush', 'scl_1');
    const other = createSealing(new Uint8Array(32).fill(8));
    await expect(sealing.open('connector', sealed, 'scl_2')).rejects.toThrow('another place');
    await expect(sealing.open('app', sealed, 'scl_1')).rejects.toThrow();
    await expect(other.open('connector', sealed, 'scl_1')).rejects.toThrow();
    await expect(sealing.open('connector', `${sealed.slice(0, -2)}AA`, 'scl_1')).rejects.toThrow();
  });

  it('gives each purpose a mac of its own', () => {
    expect(sealing.mac('csrf', 'x')).toBe(sealing.mac('csrf', 'x'));
    expect(sealing.mac('csrf', 'x')).not.toBe(sealing.mac('companion', 'x'));
  });

  it('hashes and compares', () => {
    expect(hashSecret('a')).toBe('ypeBEsobvcr6wjGzmiPcTaeG7_gUfE5yuYB3ha_uSLs');
    expect(equalInConstantTime('abc', 'abc')).toBe(true);
    expect(equalInConstantTime('abc', 'abcd')).toBe(false);
  });
});
