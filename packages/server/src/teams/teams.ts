import { createId } from '@tessera/protocol';
import type { Rename, Role } from '@tessera/contract';
import type { Audit } from '#audit';
import type { Changes } from '#changes';
import type { Clock } from '#clock';
import type { Database, Expected } from '#database';
import { publicError } from '#errors';
import type { Membership, Team } from './team.ts';
import { createTeamStore, type Page } from './team-store.ts';

export type NewTeam = {
  /** The person who founds the team and becomes its first owner. */
  userId: string;
  slug: string;
  name: string;
  /** Who asked, when it was a token: the audit record's actor. Default: the person. */
  actor?: string;
  /** The reference of the request. */
  reference?: string;
};

export type TeamChange = Partial<Pick<Team, 'slug' | 'name' | 'workloadAlgorithm' | 'defaultPassport'>>;
export type By = {
  actor: string;
  reference?: string | undefined;
  /** What a new slug breaks, for the record. */
  rename?: Rename | undefined;
};

export type Teams = ReturnType<typeof createTeams>;

const attempts = 5;

export type TeamsNeeds = {
  database: Database;
  clock: Clock;
  audit: Audit;
  changes: Pick<Changes, 'note'>;
  /** Matches one row while the team's connector is there: no default comes to name one that is being deleted. */
  holdConnector?: (teamId: string, connectorId: string) => Expected;
  /**
   * The base URL of the issuers. What stands last in its path is no team's slug: at the issuer of all teams a verifier
   * would take the team of that slug for the one whose issuer this is.
   */
  oidcUrl?: string;
};

export function createTeams({ database, clock, audit, changes, holdConnector, oidcUrl }: TeamsNeeds) {
  const store = createTeamStore(database);
  const slugOfNobody = oidcUrl === undefined ? undefined : new URL(oidcUrl).pathname.split('/').at(-1);

  function refuseSlugOfNobody(slug: string | undefined): void {
    if (slug === undefined || slug === '' || slug !== slugOfNobody) return;
    throw publicError('name_taken', {
      description: `The slug "${slug}" is the end of this instance's own issuer (${oidcUrl}).`,
      mend: 'Choose another slug.',
    });
  }

  function slugTaken(slug: string) {
    return publicError('name_taken', {
      description: `The slug "${slug}" belongs, or once belonged, to another team.`,
      mend: 'Choose another slug: one that was ever in use is never given out again.',
    });
  }

  return {
    find: (id: string): Promise<Team | undefined> => store.find(id),
    findBySlug: (slug: string): Promise<Team | undefined> => store.findBySlug(slug),
    /** The team that a slug is of, or was: nobody else ever gets it. */
    async findByAnySlug(slug: string): Promise<Team | undefined> {
      const owner = await store.findSlugOwner(slug);
      return owner === undefined ? undefined : store.find(owner);
    },
    /** Statement by which units that count what a team has go one after the other; it comes before the count. */
    hold: store.hold,
    findMembership: (teamId: string, userId: string): Promise<Membership | undefined> =>
      store.findMember(teamId, userId),
    /** The longest members first. */
    listMembers: (teamId: string, page: Page): Promise<Membership[]> => store.listMembers(teamId, page),
    /** The teams of a person with their role there, the oldest team first. */
    listForUser: (userId: string, page: Page = { limit: 100 }): Promise<{ team: Team; role: Role }[]> =>
      store.listOfUser(userId, page),

    /** Statement that makes somebody a member; the unit is refused when they are one. */
    addMember: (teamId: string, userId: string, role: Role): Expected =>
      store.insertMember({ teamId, userId, role, createdAt: clock.now() }),

    /** A new team with its first owner. Throws `name_taken`. The slug has passed `nameProblem` at the door. */
    async create({ userId, slug, name, actor, reference }: NewTeam): Promise<Team> {
      refuseSlugOfNobody(slug);
      const now = clock.now();
      const team: Team = {
        id: createId('team'),
        slug,
        name,
        passportEnabled: true,
        defaultPassport: undefined,
        workloadAlgorithm: 'RS256',
        createdAt: now,
        updatedAt: now,
      };
      const outcome = await database.tryWrite([
        store.claimSlug(slug, team.id, now),
        store.insert(team),
        store.insertMember({ teamId: team.id, userId, role: 'owner', createdAt: now }),
        audit.record({
          actor: actor ?? userId,
          action: 'team.create',
          object: team.id,
          teamId: team.id,
          after: { slug, name, owner: userId },
          reference,
        }),
      ]);
      if (!outcome.committed) throw slugTaken(slug);
      return team;
    },

    /** Changes what is given, and keeps the rest. Throws `name_taken`, `not_found`, `changed_meanwhile`. */
    async update(id: string, change: TeamChange, by: By): Promise<Team> {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const before = await store.find(id);
        if (before === undefined) throw publicError('not_found');
        const after = { ...before, ...change, updatedAt: clock.now() };
        const isRenamed = after.slug !== before.slug;
        if (isRenamed) refuseSlugOfNobody(after.slug);
        // Claimed first: a slug that another team has now is refused here, before it is an error of a constraint.
        const claims = isRenamed ? [store.claimSlug(after.slug, id, after.updatedAt)] : [];
        const outcome = await database.tryWrite([
          ...claims,
          store.update(after),
          ...(change.defaultPassport && holdConnector
            ? [holdConnector(id, change.defaultPassport.connectorId)]
            : []),
          audit.record({
            actor: by.actor,
            action: 'team.update',
            object: id,
            teamId: id,
            before: changedOf(before, change),
            after: { ...changedOf(after, change), ...(by.rename === undefined ? {} : { breaks: by.rename }) },
            reference: by.reference,
          }),
          changes.note('teams'),
        ]);
        if (outcome.committed) return after;
        if (outcome.refusedAt < claims.length) throw slugTaken(after.slug);
        if (outcome.refusedAt > claims.length) throw publicError('unknown_connector');
      }
      throw publicError('changed_meanwhile');
    },

    /** Switches Passport on or off for the team, with all its settings left as they are. Throws `not_found`, `changed_meanwhile`. */
    async setPassport(id: string, passportEnabled: boolean, by: By): Promise<Team> {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const before = await store.find(id);
        if (before === undefined) throw publicError('not_found');
        if (before.passportEnabled === passportEnabled) return before;
        const after = { ...before, passportEnabled, updatedAt: clock.now() };
        const outcome = await database.tryWrite([
          store.updatePassport(after),
          audit.record({
            actor: by.actor,
            action: 'team.features',
            object: id,
            teamId: id,
            before: { passport: before.passportEnabled },
            after: { passport: passportEnabled },
            reference: by.reference,
          }),
          changes.note('teams'),
          changes.note('teams'),
        ]);
        if (outcome.committed) return after;
      }
      throw publicError('changed_meanwhile');
    },

    /** What the team would be after a change. Throws `name_taken` and `not_found`, as the change would. */
    async preview(id: string, change: TeamChange): Promise<Team> {
      const before = await store.find(id);
      if (before === undefined) throw publicError('not_found');
      if (change.slug !== before.slug) refuseSlugOfNobody(change.slug);
      const owner = change.slug === undefined ? id : await store.findSlugOwner(change.slug);
      if (owner !== undefined && owner !== id) throw slugTaken(change.slug ?? '');
      return { ...before, ...change };
    },

    /** Makes somebody with an account a member. Throws `already_member`. */
    async createMembership(
      { teamId, userId, role }: Omit<Membership, 'createdAt'>,
      by: By,
    ): Promise<Membership> {
      const membership: Membership = { teamId, userId, role, createdAt: clock.now() };
      const outcome = await database.tryWrite([
        store.insertMember(membership),
        audit.record({
          actor: by.actor,
          action: 'member.add',
          object: userId,
          teamId,
          after: { role },
          reference: by.reference,
        }),
      ]);
      if (!outcome.committed) throw publicError('already_member');
      return membership;
    },

    /** Gives a member another role. Throws `not_found` and `last_owner`. */
    async updateMembership(
      { teamId, userId, role }: Omit<Membership, 'createdAt'>,
      by: By,
    ): Promise<Membership> {
      const before = await store.findMember(teamId, userId);
      if (before === undefined) throw publicError('not_found');
      const outcome = await database.tryWrite([
        ...store.updateRole(teamId, userId, role),
        audit.record({
          actor: by.actor,
          action: 'member.update',
          object: userId,
          teamId,
          before: { role: before.role },
          after: { role },
          reference: by.reference,
        }),
        changes.note('members'),
      ]);
      if (!outcome.committed) throw publicError('last_owner');
      return { ...before, role };
    },

    /** Removes a member; from then on none of their tokens reaches the team. Throws `not_found` and `last_owner`. */
    async deleteMembership(teamId: string, userId: string, by: By): Promise<void> {
      const before = await store.findMember(teamId, userId);
      if (before === undefined) throw publicError('not_found');
      const outcome = await database.tryWrite([
        ...store.deleteMember(teamId, userId),
        audit.record({
          actor: by.actor,
          action: 'member.remove',
          object: userId,
          teamId,
          before: { role: before.role },
          reference: by.reference,
        }),
        changes.note('members'),
      ]);
      if (!outcome.committed) throw publicError('last_owner');
    },
  };
}

/** The fields of a change as they were, or are: null where there was, or is, nothing. */
function changedOf(team: Team, change: TeamChange): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(change).map((field) => [field, team[field as keyof TeamChange] ?? null]),
  );
}
