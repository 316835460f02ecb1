import { findDuplicateMember } from '@tessera/protocol';

/** One line of a configuration that compares one claim. All conditions of a grant must hold, with any of its values. */
export type Condition = {
  /** Where it stands in the configuration. */
  line: string;
  claim: string;
  /** `pattern`: `*` and `?` are wildcards. `unread`: it compares in a way that is not understood here, so nothing is proven. */
  match: 'exact' | 'pattern' | 'unread';
  values: readonly string[];
};

export type Finding = { severity: 'error' | 'warning'; code: string; line: string; detail: string };

/** One way in. A configuration lets a token in when one of its grants does. */
export type Grant = { line: string; conditions: readonly Condition[] };

/** What a configuration says, in the one form in which every verifier's is judged. */
export type TrustConfiguration = {
  grants: readonly Grant[];
  /** Mistakes that only this verifier's configuration can have. */
  findings: readonly Finding[];
};

/** Whom to trust. Team and project are both names, or both ids. */
export type Wanted = {
  issuer: string;
  audience: string;
  team: string;
  project: string;
  environments: readonly string[];
  /** One for each environment. */
  subjects: readonly string[];
  /** The AWS account in which the identity provider is. */
  account?: string;
};

export type Claims = Readonly<Record<string, unknown>>;

/** What a relying party has for configuration, and what it demands of a token beside it. */
export type Verifier = {
  title: string;
  algorithms: readonly string[];
  defaultAudience?: string;
  /** The configuration, as the relying party takes it. */
  print(wanted: Wanted): unknown;
  /** What the configuration cannot say by itself. */
  notes(wanted: Wanted): readonly string[];
  read(configuration: unknown): TrustConfiguration;
  /** Demands of the relying party itself, by line; undefined problem: it is met. */
  demand?(configuration: unknown, claims: Claims): readonly { line: string; problem: string | undefined }[];
};

/** What a person gave us cannot be used; the message names received, expected and mend. */
export class TrustInputRefused extends Error {}

export type JsonObject = Readonly<Record<string, unknown>>;

/** @throws {TrustInputRefused} for what is not JSON, or has a member twice: parsers differ in which one they take */
export function parseConfiguration(text: string): unknown {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    throw new TrustInputRefused(
      'The configuration is not JSON. Expected the form that `trust print` prints; turn YAML into JSON first (yq -o=json).',
    );
  }
  const twice = findDuplicateMember(text.replace(/^\uFEFF/, ''));
  if (twice !== undefined) {
    throw new TrustInputRefused(`The configuration has the member ${JSON.stringify(twice)} twice; keep one.`);
  }
  return parsed;
}

export function readObject(value: unknown, line: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new TrustInputRefused(`${line} is ${show(value)}; expected an object.`);
}

/** A text or a list of texts; undefined when it is not there. */
export function readTexts(value: unknown, line: string): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const wrong = list.find((each) => typeof each !== 'string');
  if (wrong !== undefined)
    throw new TrustInputRefused(`${line} is ${show(wrong)}; expected a text or a list of texts.`);
  return list as string[];
}

/** A value as it may stand in a message. */
export function show(value: unknown): string {
  return value === undefined ? 'not there' : JSON.stringify(value).slice(0, 300);
}

export function exact(line: string, claim: string, values: readonly string[] | undefined): Condition[] {
  return values === undefined ? [] : [{ line, claim, match: 'exact', values }];
}

export function error(code: string, line: string, detail: string): Finding {
  return { severity: 'error', code, line, detail };
}

export function warning(code: string, line: string, detail: string): Finding {
  return { severity: 'warning', code, line, detail };
}

/** `*`: any number of characters, `?`: one. Without a regular expression, so that no pattern takes long. */
export function isLike(text: string, pattern: string): boolean {
  let at = 0;
  let place = 0;
  let star = -1;
  let resume = 0;
  while (at < text.length) {
    const wanted = pattern[place];
    if (wanted === '*') {
      star = place++;
      resume = at;
    } else if (wanted === '?' || wanted === text[at]) {
      place++;
      at++;
    } else if (star >= 0) {
      place = star + 1;
      at = ++resume;
    } else return false;
  }
  while (pattern[place] === '*') place++;
  return place === pattern.length;
}
