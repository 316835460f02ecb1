/**
 * One part of a composed subject: every `%`, `:` and every byte outside printable ASCII becomes an uppercase
 * `%XX` of its UTF-8 form. Nothing is normalised, so a composed form has exactly one reading.
 * Throws on a lone surrogate: it has no UTF-8 form, and replacing it would make two subjects one.
 */
export function escapeSubjectPart(part: string): string {
  if (!part.isWellFormed()) throw new RangeError('A part of a subject must be well-formed Unicode.');
  if (/^[\x20-\x24\x26-\x39\x3b-\x7e]*$/.test(part)) return part;
  let escaped = '';
  for (const byte of new TextEncoder().encode(part)) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25 && byte !== 0x3a;
    escaped += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}

/** The reverse; undefined for what `escapeSubjectPart` cannot have made. */
export function unescapeSubjectPart(escaped: string): string | undefined {
  let part: string;
  try {
    part = decodeURIComponent(escaped);
  } catch {
    return undefined;
  }
  return part.isWellFormed() && escapeSubjectPart(part) === escaped ? part : undefined;
}

/** Who a workload is. `names`: by slug and names; `ids`: by ids, which no rename changes. */
export type WorkloadSubject =
  | { form: 'names'; teamSlug: string; projectName: string; environment: string }
  | { form: 'ids'; teamId: string; projectId: string; environment: string };

/** `owner:{slug}:project:{name}:environment:{environment}` or `owner_id:{id}:project_id:{id}:environment:{environment}`. */
export function formatWorkloadSubject(subject: WorkloadSubject): string {
  const environment = escapeSubjectPart(subject.environment);
  return subject.form === 'names'
    ? `owner:${escapeSubjectPart(subject.teamSlug)}:project:${escapeSubjectPart(subject.projectName)}:environment:${environment}`
    : `owner_id:${escapeSubjectPart(subject.teamId)}:project_id:${escapeSubjectPart(subject.projectId)}:environment:${environment}`;
}

/** The parts of a workload subject; undefined when the string is none. */
export function parseWorkloadSubject(text: string): WorkloadSubject | undefined {
  const words = text.split(':');
  const [owner, first, project, second, environmentWord, third] = words;
  if (words.length !== 6 || environmentWord !== 'environment') return undefined;
  const team = unescapeSubjectPart(first ?? '');
  const name = unescapeSubjectPart(second ?? '');
  const environment = unescapeSubjectPart(third ?? '');
  if (team === undefined || name === undefined || environment === undefined) return undefined;
  if (owner === 'owner' && project === 'project') {
    return { form: 'names', teamSlug: team, projectName: name, environment };
  }
  if (owner === 'owner_id' && project === 'project_id') {
    return { form: 'ids', teamId: team, projectId: name, environment };
  }
  return undefined;
}

/** Who a visitor is: the principal at the identity provider behind a team's connector. */
export type PassportSubject = { teamSlug: string; connectorId: string; principal: string };

/** `owner:{team slug}:connector:{connector id}:principal:{external_sub, escaped}`. */
export function formatPassportSubject({ teamSlug, connectorId, principal }: PassportSubject): string {
  return `owner:${escapeSubjectPart(teamSlug)}:connector:${escapeSubjectPart(connectorId)}:principal:${escapeSubjectPart(principal)}`;
}

/** The parts of a visitor's subject; undefined when the string is none. */
export function parsePassportSubject(text: string): PassportSubject | undefined {
  const words = text.split(':');
  const [owner, first, connector, second, principalWord, third] = words;
  if (words.length !== 6 || owner !== 'owner' || connector !== 'connector' || principalWord !== 'principal') {
    return undefined;
  }
  const teamSlug = unescapeSubjectPart(first ?? '');
  const connectorId = unescapeSubjectPart(second ?? '');
  const principal = unescapeSubjectPart(third ?? '');
  if (teamSlug === undefined || connectorId === undefined || principal === undefined) return undefined;
  return { teamSlug, connectorId, principal };
}
