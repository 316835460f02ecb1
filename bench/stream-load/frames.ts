const payload = Buffer.alloc(1024, 'x');

/** A WebSocket frame of 1 KiB, masked as a client's is (RFC 6455 section 5.2), here by zeros. */
export const sentFrame = Buffer.concat([Buffer.from([0x82, 0xfe, 0x04, 0x00, 0, 0, 0, 0]), payload]);

/** The same of a server, which masks nothing. */
export const answeredFrame = Buffer.concat([Buffer.from([0x82, 0x7e, 0x04, 0x00]), payload]);
