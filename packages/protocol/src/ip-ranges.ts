/** A block of addresses of one family (CIDR, RFC 4632 and RFC 4291 section 2.3); a single address has all its bits. */
export type IpRange = { readonly family: 4 | 6; readonly base: bigint; readonly bits: number };

const widths = { 4: 32, 6: 128 } as const;
const mappedPrefix = 0xffffn;
const ipv4Form = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

/** Reads `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`. IPv4 written as IPv6 (`::ffff:10.0.0.0/104`) is IPv4. */
export function parseIpRange(text: string): IpRange | undefined {
  const [address = '', length, ...more] = text.split('/');
  const parsed = parseAddress(address);
  if (parsed === undefined || more.length > 0) return undefined;
  const writtenWidth = ipv4Form.test(address) ? widths[4] : widths[6];
  if (length !== undefined && !/^(?:0|[1-9]\d{0,2})$/.test(length)) return undefined;
  const writtenBits = length === undefined ? writtenWidth : Number(length);
  if (writtenBits > writtenWidth) return undefined;
  // A mapped range that is wider than all of IPv4 is no range of IPv4.
  const bits = writtenBits - (writtenWidth - widths[parsed.family]);
  return bits < 0 ? undefined : { ...parsed, bits };
}

/**
 * What is wrong with a range that is to be stored, in words; undefined for a good one. Bits beyond the length would be
 * dropped silently, and a range of everybody protects nothing.
 */
export function ipRangeProblem(text: string): string | undefined {
  const range = parseIpRange(text);
  if (range === undefined) {
    return `"${text}" is not an IPv4 or IPv6 address, or a range such as 192.0.2.0/24 or 2001:db8::/32`;
  }
  if (range.bits === 0) return `"${text}" is every address there is`;
  const base = firstOf(range);
  if (base === range.base) return undefined;
  return `"${text}" has bits beyond its length; the range that it lies in is ${formatIpRange({ ...range, base })}`;
}

/** The one spelling of a range (RFC 5952), without `/32` or `/128` for a single address. */
export function formatIpRange({ family, base, bits }: IpRange): string {
  const address = family === 4 ? formatIpv4(base) : formatIpv6(base);
  return bits === widths[family] ? address : `${address}/${bits}`;
}

/** Whether an address lies in a range. An IPv4 address is the same however it is written; a text that is none is not. */
export function isInIpRange(range: IpRange, address: string): boolean {
  const parsed = parseAddress(address);
  if (parsed === undefined || parsed.family !== range.family) return false;
  return firstOf({ ...range, base: parsed.base }) === firstOf(range);
}

/**
 * Whether an address lies in any of these ranges, which are read once. Throws for a text that is no range: what was to
 * be forbidden or trusted by it would be neither.
 */
export function createIpRangeTest(texts: readonly string[]): (address: string) => boolean {
  const ranges = texts.map((text) => {
    const range = parseIpRange(text);
    if (range === undefined) throw new TypeError(`"${text}" is not an IP address or a CIDR range.`);
    const beyond = BigInt(widths[range.family] - range.bits);
    return { family: range.family, beyond, first: range.base >> beyond };
  });
  return (address) => {
    if (ranges.length === 0) return false;
    const parsed = parseAddress(address);
    if (parsed === undefined) return false;
    return ranges.some(
      ({ family, beyond, first }) => family === parsed.family && parsed.base >> beyond === first,
    );
  };
}

/** The range of this length that a range lies in. */
export function enclosingIpRange(range: IpRange, bits: number): IpRange {
  return { ...range, base: firstOf({ ...range, bits }), bits };
}

function firstOf({ family, base, bits }: IpRange): bigint {
  const beyond = BigInt(widths[family] - bits);
  return (base >> beyond) << beyond;
}

function parseAddress(text: string): Pick<IpRange, 'family' | 'base'> | undefined {
  if (ipv4Form.test(text)) return { family: 4, base: parseIpv4(text) };
  const base = parseIpv6(text);
  if (base === undefined) return undefined;
  if (base >> 32n === mappedPrefix) return { family: 4, base: base & 0xffff_ffffn };
  return { family: 6, base };
}

function parseIpv4(text: string): bigint {
  return text.split('.').reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}

/**
 * The URL parser writes every IPv6 address in one form, whose groups are plain. An address with a zone
 * (`fe80::1%eth0`) is one of a single machine, and none here.
 */
function parseIpv6(text: string): bigint | undefined {
  if (!/^[\da-fA-F:.]+$/.test(text)) return undefined;
  const canonical = URL.parse(`http://[${text}]`)?.hostname.slice(1, -1);
  if (canonical === undefined) return undefined;
  const [head = '', tail] = canonical.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n);
}

function formatIpv4(base: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((base >> shift) & 255n)).join('.');
}

function formatIpv6(base: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) =>
    ((base >> BigInt(112 - index * 16)) & 0xffffn).toString(16),
  );
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
