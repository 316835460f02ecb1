import { expect, test } from 'vitest';
import { describeSignIn } from '../sign-in/on-both-databases.ts';
import { openApp } from '../sign-in/open-app.ts';

describeSignIn('an app that knows no PKCE', (place) => {
  test('gets nothing for a code whose redirect URI was taken off its list', async () => {
    const app = await openApp(place, { requirePkce: false });
    const { answer } = await app.authorize({ code_challenge: undefined, code_challenge_method: undefined });
    await place.world.call('apps.update', {
      params: { id: app.clientId },
      query: { teamId: place.world.team.id },
      body: { redirectUris: ['https://app.example.com/callback'] },
    });
    const refused = await app.token({
      grant_type: 'authorization_code',
      code: answer.searchParams.get('code') ?? '',
      redirect_uri: app.redirectUri,
    });
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('not registered any more')]);
  });
});
