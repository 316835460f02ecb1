/** Old enough for a clock that differs, young enough that a copy is of little use. */
const validSeconds = 120;
const algorithm = { name: 'HMAC', hash: 'SHA-256' };
const encoder = new TextEncoder();

/**
 * The value of the probe's header, at which the decision listener hangs up: with a proof that who sends it knows the
 * credential of the front proxy in between, since any visitor's headers come as far. `now` in milliseconds.
 */
export async function formatDecisionProbe(credential: string, now: number): Promise<string> {
  const said = `hang-up.${Math.floor(now / 1000)}`;
  const proof = await crypto.subtle.sign('HMAC', await keyOf(credential), encoder.encode(said));
  return `${said}.${hexOf(new Uint8Array(proof))}`;
}

/** Whether a probe was made with this credential, and not long ago. */
export async function isDecisionProbe(value: string, credential: string, now: number): Promise<boolean> {
  const [, seconds, proof] = /^hang-up\.(\d{1,12})\.([\da-f]{64})$/.exec(value) ?? [];
  if (seconds === undefined || proof === undefined) return false;
  if (Math.abs(now / 1000 - Number(seconds)) > validSeconds) return false;
  const said = encoder.encode(`hang-up.${seconds}`);
  return crypto.subtle.verify('HMAC', await keyOf(credential), bytesOf(proof), said);
}

function keyOf(credential: string): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', encoder.encode(credential), algorithm, false, ['sign', 'verify']);
}

function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: hex.length / 2 }, (_, index) =>
    Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16),
  );
}
