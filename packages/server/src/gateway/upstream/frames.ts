/** Close with status 1001, "going away" (RFC 6455 section 7.4.1), as a server sends it: without a mask. */
export const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9]);

/**
 * Follows WebSocket frames (RFC 6455 section 5.2) by their lengths alone, to know when one has ended: only there can
 * a frame of our own be put between.
 */
export function createFrameCounter() {
  /** Bytes of the present frame that are still to come. */
  let left = 0;
  /** What came of a header that is not whole yet. */
  let begun: Buffer | undefined;

  return {
    push(chunk: Buffer): void {
      const bytes = begun === undefined ? chunk : Buffer.concat([begun, chunk]);
      begun = undefined;
      let next = left;
      while (next < bytes.length) {
        const size = frameSize(bytes, next);
        if (size === undefined) {
          begun = Buffer.from(bytes.subarray(next));
          next = bytes.length;
        } else {
          next += size;
        }
      }
      left = next - bytes.length;
    },
    isBetweenFrames: (): boolean => left === 0 && begun === undefined,
  };
}

/** The size of the frame that begins here, header and payload; undefined where the header is not whole. */
function frameSize(bytes: Buffer, start: number): number | undefined {
  const second = bytes[start + 1];
  if (second === undefined) return undefined;
  const short = second & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const mask = (second & 0x80) === 0 ? 0 : 4;
  const header = 2 + extended + mask;
  if (bytes.length < start + header) return undefined;
  if (extended === 0) return header + short;
  return header + (extended === 2 ? bytes.readUInt16BE(start + 2) : Number(bytes.readBigUInt64BE(start + 2)));
}
