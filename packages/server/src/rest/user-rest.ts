import { getRoute } from '@tessera/contract';
import { publicError } from '#errors';
import { restDoor, type RestDoor } from '#http';

type User = {
  id: string;
  email: string;
  emailVerified: boolean;
  name: string | undefined;
  username: string;
  picture: string | undefined;
  isInstanceAdmin: boolean;
  createdAt: number;
};

/** `GET /v2/user`: who the token belongs to. */
export function createUserRest(needs: {
  findUser: (id: string) => Promise<User | undefined>;
}): readonly RestDoor[] {
  return [
    restDoor(getRoute('users.get'), async ({ caller }) => {
      const user = await needs.findUser(caller.userId);
      if (user === undefined) throw publicError('not_found');
      return {
        user: {
          id: user.id,
          email: user.email,
          emailVerified: user.emailVerified,
          name: user.name ?? null,
          username: user.username,
          picture: user.picture ?? null,
          isInstanceAdmin: user.isInstanceAdmin,
          createdAt: user.createdAt,
        },
      };
    }),
  ];
}
