/** Close with status 1001, "going away" (RFC 6455 section 7.4.1), as a server sends it: without a mask. */
export const goingAway = Buffer.from([0x88, 0x02, 0x03, 0xe9]);

/**
 * Follows WebSocket frames (RFC 6455 section 5.2) by their lengths alone, to know when one has ended: only there can
 * a frame of our own be put between.
 */
export function createFrameCounter() {
  let header = Buffer.alloc(0);
  /** Bytes of the present frame that are still to come. */
  let left = 0;

  return {
    push(chunk: Buffer): void {
      let at = 0;
      while (at < chunk.length) {
        if (left > 0) {
          const taken = Math.min(left, chunk.length - at);
          left -= taken;
          at += taken;
          continue;
        }
        // A header has at most 14 bytes: taken one by one, since it may be cut anywhere.
        header = Buffer.concat([header, chunk.subarray(at, at + 1)]);
        at++;
        const length = payloadLength(header);
        if (length === undefined) continue;
        left = length;
        header = Buffer.alloc(0);
      }
    },
    isBetweenFrames: (): boolean => left === 0 && header.length === 0,
  };
}

/** The length of the payload once the header is whole; undefined before. */
function payloadLength(header: Buffer): number | undefined {
  const second = header[1];
  if (second === undefined) return undefined;
  const short = second & 0x7f;
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const mask = (second & 0x80) === 0 ? 0 : 4;
  if (header.length < 2 + extended + mask) return undefined;
  if (extended === 2) return header.readUInt16BE(2);
  return extended === 8 ? Number(header.readBigUInt64BE(2)) : short;
}
