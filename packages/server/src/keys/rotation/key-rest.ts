import { getRoute, type SigningKeyDocument } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';
import { teamPurposes } from '../key.ts';
import type { KeyAccount } from './key-account.ts';
import { outsideNote } from './outside.ts';
import type { KeyRotation, Revocation } from './rotation.ts';
import type { TeamKeySetting } from './team-keys.ts';

/** The signing keys of the instance, for its administrators, and of a team, for its owners. */
export function createKeyRest(needs: {
  rotation: KeyRotation;
  findUser: (id: string) => Promise<{ isInstanceAdmin: boolean } | undefined>;
}): readonly RestDoor[] {
  const { rotation } = needs;

  async function requireAdministrator({ caller }: { caller: { userId: string } }): Promise<void> {
    if ((await needs.findUser(caller.userId))?.isInstanceAdmin === true) return;
    throw publicError('forbidden', { description: 'Only instance administrators change signing keys.' });
  }

  return [
    restDoor(getRoute('signing-keys.list'), async (call) => {
      await requireAdministrator(call);
      return { keys: (await rotation.list()).map(keyDocument) };
    }),
    restDoor(getRoute('signing-keys.rotate'), async (call) => {
      await requireAdministrator(call);
      return { keys: (await rotation.rotate(call.body, actorOf(call))).map(keyDocument) };
    }),
    restDoor(getRoute('signing-keys.revoke-all'), async (call) => {
      await requireAdministrator(call);
      return revocationDocument(await rotation.revoke(call.body, actorOf(call)));
    }),
    restDoor(getRoute('signing-keys.revoke'), async (call) => {
      await requireAdministrator(call);
      return revocationDocument(await rotation.revoke({ kid: call.params.kid }, actorOf(call)));
    }),
    restDoor(getRoute('signing-keys.delete'), async (call) => {
      await requireAdministrator(call);
      await rotation.remove(call.params.kid, actorOf(call));
    }),
    restDoor(getRoute('team-keys.list'), async ({ team }) => ({
      purposes: (await rotation.listOfTeam(team.id, teamPurposes)).map(settingDocument),
    })),
    restDoor(getRoute('team-keys.give'), async (call) => {
      const { team, params, body } = call;
      await rotation.giveTeamKeys(team.id, { purpose: params.purpose, ...body }, actorOf(call));
      const [setting] = await rotation.listOfTeam(team.id, [params.purpose]);
      if (setting === undefined) throw publicError('changed_meanwhile');
      return settingDocument(setting);
    }),
    restDoor(getRoute('team-keys.rotate'), async (call) => {
      const choice = { ...call.body, purpose: call.params.purpose, teamId: call.team.id };
      return { keys: (await rotation.rotate(choice, actorOf(call))).map(keyDocument) };
    }),
    restDoor(getRoute('team-keys.end'), async (call) => {
      await rotation.endTeamKeys(call.team.id, call.params.purpose, actorOf(call));
    }),
  ];
}

function actorOf({ caller, reference }: { caller: { id: string }; reference: string }) {
  return { id: caller.id, reference };
}

function keyDocument(key: KeyAccount): SigningKeyDocument {
  return {
    kid: key.kid,
    purpose: key.purpose,
    algorithm: key.algorithm,
    teamId: key.teamId ?? null,
    stage: key.stage,
    publishedAt: key.publishedAt,
    signsFrom: key.signsFrom,
    removableFrom: key.removableFrom ?? null,
    removedAt: key.removedAt ?? null,
  };
}

function revocationDocument({ revoked, replacements, ...outside }: Revocation) {
  return {
    revoked: revoked.map(keyDocument),
    replacements: replacements.map(keyDocument),
    outside: { ...outside, note: outsideNote },
  };
}

function settingDocument({ purpose, own, keys }: TeamKeySetting) {
  return {
    purpose,
    own:
      own === undefined
        ? null
        : {
            signsFrom: own.signsFrom,
            endsAt: own.endsAt ?? null,
            inGlobalKeySet: own.globalFrom !== undefined,
          },
    keys: keys.map(keyDocument),
  };
}
