import { describe, expect, it } from 'vitest';
import { createFrameCounter } from './frames.ts';

const frame = (length: number, masked = false): Buffer => {
  const mask = masked ? 0x80 : 0;
  const head =
    length < 126
      ? Buffer.from([0x82, mask | length])
      : length < 65_536
        ? Buffer.from([0x82, mask | 126, length >> 8, length & 0xff])
        : Buffer.concat([Buffer.from([0x82, mask | 127]), bigEndian(length)]);
  return Buffer.concat([head, Buffer.alloc(masked ? 4 : 0), Buffer.alloc(length, 0xff)]);
};

function bigEndian(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(length));
  return bytes;
}

describe('the frames of a WebSocket', () => {
  it('end where their lengths say, however the bytes are cut', () => {
    const frames = [0, 1, 125, 126, 127, 65_535, 65_536].flatMap((length) => [
      frame(length),
      frame(length, true),
    ]);
    const bytes = Buffer.concat(frames);
    const ends = new Set<number>([0]);
    let end = 0;
    for (const each of frames) ends.add((end += each.length));
    for (const size of [1, 2, 3, 7, 1_000, bytes.length]) {
      const counter = createFrameCounter();
      const wrong: number[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        counter.push(bytes.subarray(at, at + size));
        const now = Math.min(at + size, bytes.length);
        if (counter.isBetweenFrames() !== ends.has(now)) wrong.push(now);
      }
      expect(wrong, `in pieces of ${size}`).toEqual([]);
    }
  });
});
