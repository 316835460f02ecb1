import { expect, test } from 'vitest';
import { setUpPerson } from '../harness/front-door.ts';
import { findText } from '../harness/html.ts';
import { createApp } from '../harness/sign-in-world.ts';
import { createAuthorizationRequest } from '../harness/sign-in.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';
import { describeSignIn } from './on-both-databases.ts';

const registered = 'https://shop.example.com:8443/auth/callback';

describeSignIn('the page about a redirect URI that is not registered', (place) => {
  let appId: string | undefined;
  async function descriptionFor(redirectUri: string, visitor: Visitor): Promise<string> {
    appId ??= (
      await createApp(place.world.call, place.world.team.id, { name: 'Shop', redirectUri: registered })
    ).clientId;
    const { url } = createAuthorizationRequest(place.tessera.urls.origin, { clientId: appId, redirectUri });
    const answer = await visitor.open(url);
    expect(answer.status).toBe(400);
    expect(answer.headers.location).toBeUndefined();
    expect(findText(answer.text, 'error-code')).toBe('redirect_uri_not_registered');
    expect(findText(answer.text, 'error-reference')).toMatch(/^ref_/);
    return findText(answer.text, 'error-description') ?? '';
  }

  test.each([
    ['a trailing slash', `${registered}/`, 'trailing slash'],
    ['http', registered.replace('https', 'http'), 'scheme'],
    ['another port', registered.replace('8443', '8444'), 'port'],
    ['no port', registered.replace(':8443', ''), 'port'],
    ['a typing error', registered.replace('shop', 'shpo'), 'spelling of its host'],
    ['www', registered.replace('shop', 'www.shop'), 'spelling of its host'],
    ['a capital letter', registered.replace('callback', 'Callback'), 'capital and small letters'],
    ['another path', registered.replace('/auth/callback', '/callback'), 'path'],
    ['a query', `${registered}?next=/`, 'query'],
    ['white space', `${registered} `, 'white space'],
    ['double encoding', encodeURIComponent(registered), 'encoded twice'],
    [
      'two of them',
      `${registered.replace('https', 'http')}/`,
      'scheme (http or https) and its trailing slash',
    ],
  ])('says what is different: %s (security-48)', async (_name, redirectUri, words) => {
    const description = await descriptionFor(redirectUri, createVisitor());
    expect(description).toContain('redirect URI is not registered');
    expect(description).toContain(words);
    expect(description.replaceAll(redirectUri, '')).not.toContain('shop.example.com');
  });

  test('says nothing of what is registered when it is quite another', async () => {
    const description = await descriptionFor('https://other.example/cb', createVisitor());
    expect(description).not.toMatch(/differs|shop\.example/);
  });

  test('shows what is registered to members of the owning team, whatever their role, and to nobody else', async () => {
    const presented = `${registered}/`;
    const owner = await descriptionFor(presented, place.world.admin.visitor);
    expect(owner).toContain(`Registered: "${registered}"`);
    const { invitation } = await place.world.call('members.add', {
      params: { id: place.world.team.id },
      body: { email: 'vera@acme.example', role: 'viewer' },
    });
    const vera = await setUpPerson(invitation?.url ?? '', {
      email: 'vera@acme.example',
      password: 'another long passphrase, 7 words',
      name: 'Vera',
    });
    expect(await descriptionFor(presented, vera.visitor)).toContain(`Registered: "${registered}"`);
    const stranger = await descriptionFor(presented, createVisitor());
    expect(stranger).not.toContain('Registered:');
  });
});
