import type { Duplex } from 'node:stream';

const lingerMilliseconds = 3_000;

/**
 * Ends a socket that Node has handed over with an upgrade, after these last bytes, and lets go of it when they are
 * sent. Nothing else would: Node has taken its own listeners and timeouts off, and nobody reads the other side's end.
 */
export function endSocket(socket: Duplex, last?: string): void {
  const cut = setTimeout(() => socket.destroy(), lingerMilliseconds);
  socket.once('close', () => clearTimeout(cut));
  // What is read does not wait in the kernel, where it would make a reset of the end.
  socket.resume();
  const letGo = () => setImmediate(() => socket.destroy());
  if (socket.writableFinished) letGo();
  else socket.once('finish', letGo);
  if (last === undefined) socket.end();
  else socket.end(last);
}
