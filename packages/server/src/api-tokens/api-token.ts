import type { Permission } from '@tessera/contract';

/** A bearer token that a person made for programs. Times are milliseconds since the epoch. */
export type ApiToken = {
  id: string;
  /** Who made it: their present role is always the upper bound of what it may do. */
  userId: string;
  /** The one team it is for; undefined: every team of the person. */
  teamId: string | undefined;
  name: string;
  last4: string;
  /** `role`: a person's token, which may whatever the person's present role allows. */
  permissions: 'role' | readonly Permission[];
  /** The projects for which listed permissions hold that the table gives per project (`deployment:write:…`). */
  projectIds: readonly string[];
  /** Where it may mint tokens of builds, as long as its maker is an owner. */
  builds: readonly { projectId: string; environment: string }[];
  /** Until then the login that made a person's token counts as a fresh one. */
  freshUntil: number;
  createdAt: number;
  expiresAt: number;
  lastUsedAt: number | undefined;
};
