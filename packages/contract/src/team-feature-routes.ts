import { listOf } from './route.ts';
import * as features from './team-features.ts';

// An instance administrator's own standing: no list of permissions and no app gives it away.
const administrator = {
  permission: 'user:write',
  fresh: true,
  team: 'none',
  params: features.teamFeaturesParams,
  query: features.teamFeaturesQuery,
  status: 200,
  answer: features.teamFeaturesAnswer,
} as const;

/** What a team may use at all: said by instance administrators. */
export const teamFeatureRoutes = listOf(
  {
    ...administrator,
    name: 'team-features.get',
    method: 'GET',
    path: '/v1/teams/{idOrSlug}/features',
    summary: 'Read what a team may use, and how much of it (instance administrators)',
  },
  {
    ...administrator,
    name: 'team-features.update',
    method: 'PATCH',
    path: '/v1/teams/{idOrSlug}/features',
    summary: 'Switch features of a team on and off (instance administrators)',
    body: features.updateTeamFeaturesBody,
  },
);
