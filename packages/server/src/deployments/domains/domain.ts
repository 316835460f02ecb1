import { randomBytes } from 'node:crypto';
import { domainProofLabel } from '@tessera/contract';
import type { TextRecords } from '#dns';

/** A domain that a project says is its own; with `verifiedAt`, one that the DNS has said so of. */
export type ProjectDomain = {
  id: string;
  teamId: string;
  projectId: string;
  /** Lower case, without the final dot. */
  name: string;
  /** Whose deployments may answer there. */
  environment: string;
  /** What the next proof has to show. It is made anew with each proof, so that no record proves anything twice. */
  token: string;
  createdAt: number;
  updatedAt: number;
  verifiedAt: number | undefined;
};

/** Who has proven a name, and when: there is one at most. */
export type DomainHolder = { teamId: string; projectId: string; verifiedAt: number };

/** The TXT record that proves a domain. */
export type ProofRecord = { domain: string; value: string };

export type ProofProblem = {
  code: 'domain_not_proven' | 'domain_lookup_failed';
  description: string;
  mend?: string;
};

const tokenBytes = 20;
const mostShown = 3;
const longestShown = 100;

/** A new token: 160 random bits, so that nobody sets the record of a domain that is not theirs by luck. */
export function createProofToken(): string {
  return randomBytes(tokenBytes).toString('hex');
}

/** At a name of its own below the very domain: whoever has one name proves that one, and none above or beside it. */
export function proofRecordOf({ name, token }: Pick<ProjectDomain, 'name' | 'token'>): ProofRecord {
  return { domain: `${domainProofLabel}.${name}`, value: `tessera-domain-verify=${name},${token}` };
}

/** Why what the DNS said proves nothing, in words; undefined when it is the proof. */
export function proofProblem(record: ProofRecord, found: TextRecords): ProofProblem | undefined {
  const { domain, value } = record;
  const expected = `Expected the text "${value}".`;
  switch (found.is) {
    case 'failed':
      return {
        code: 'domain_lookup_failed',
        description: `The TXT records of "${domain}" cannot be looked up: ${found.because}.`,
      };
    case 'alias':
      // A wildcard's alias answers for names that nobody set: its target's owner would prove a domain above it.
      return {
        code: 'domain_not_proven',
        description: `"${domain}" is an alias (CNAME) of ${quoted(found.target)}. ${expected}`,
        mend: 'Set the TXT record at that name itself; where a wildcard answers, the record takes its place.',
      };
    case 'answered':
      if (found.texts.includes(value)) return undefined;
      return {
        code: 'domain_not_proven',
        description: `"${domain}" has ${textsInWords(found.texts)}. ${expected}`,
      };
  }
}

function textsInWords(texts: readonly string[]): string {
  if (texts.length === 0) return 'no TXT record';
  const shown = texts.slice(0, mostShown).map(quoted).join(', ');
  const more = texts.length - mostShown;
  return `the TXT record ${shown}${more > 0 ? ` and ${more} more` : ''}`;
}

/** What strangers wrote into the DNS, as one line of visible characters. */
function quoted(text: string): string {
  const visible = JSON.stringify(text.slice(0, longestShown)).replaceAll(/[^\x20-\x7e]/g, '?');
  return text.length > longestShown ? `${visible} (cut)` : visible;
}
