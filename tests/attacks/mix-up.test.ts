import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findText } from '../harness/html.ts';
import {
  createPassportWorld,
  type PassportWorld,
  type ProtectedDeployment,
} from '../harness/passport-world.ts';
import type { Answer } from '../harness/send.ts';
import { startSilentProvider, type SilentProvider } from '../harness/silent-provider.ts';
import { startTessera, type RunningTessera } from '../harness/start-tessera.ts';
import { databaseKinds } from '../harness/test-databases.ts';
import { createVisitor, type Visitor } from '../harness/visitor.ts';

/**
 * RFC 9700 section 4.4: a team of the same instance has a provider of its own, which leads a visitor on to the honest
 * provider and wants the code that comes of it. The honest provider does not name itself (RFC 9207).
 */
describe.each(databaseKinds)(
  'a hostile second provider (security-95, advisory-extra: mix-up), on %s',
  (kind) => {
    let honest: SilentProvider;
    let hostile: SilentProvider;
    let tessera: RunningTessera;
    let world: PassportWorld;
    let bait: ProtectedDeployment;
    let common: string;
    let own: string;

    beforeAll(async () => {
      honest = await startSilentProvider();
      hostile = await startSilentProvider();
      tessera = await startTessera(kind);
      world = await createPassportWorld(tessera.urls, tessera.setUpLink, honest.registration);
      const team = await world.call('teams.create', { body: { slug: 'hostile', name: 'Hostile' } });
      const connectorId = await world.createConnector(team.id, hostile.registration);
      bait = await world.protect('bait', { teamId: team.id, connectorId });
      common = `${tessera.urls.connect}/callback`;
      own = `${common}/${world.connectorId}`;
    });
    afterAll(async () => {
      await world?.close();
      await tessera?.close();
      await honest?.close();
      await hostile?.close();
    });
    beforeEach(() => {
      for (const { redirectUris, receivedCodes } of [honest, hostile]) {
        redirectUris.splice(0);
        receivedCodes.splice(0);
      }
      hostile.lead(undefined);
    });

    const update = (body: { usesOwnRedirectUri: boolean }) =>
      world.call('connectors.update', {
        params: { id: world.connectorId },
        query: { teamId: world.team.id },
        body,
      });
    const isAt = (origin: string) => (url: URL) => url.origin === new URL(origin).origin;
    const isCallback = (url: URL) => url.href.startsWith(common);

    async function loggedIn(sub: string): Promise<Visitor> {
      const visitor = createVisitor();
      await visitor.open(honest.logInUrl(sub));
      return visitor;
    }

    /** Who the upstream is told to have. */
    function visitorOf(page: Answer): unknown {
      expect(page.status, page.text).toBe(200);
      const { headers } = JSON.parse(page.text) as { headers: Record<string, string> };
      return decodeJwt(headers['x-vercel-oidc-passport-token'] ?? '')['external_sub'];
    }

    /** The attacker's own browser, as far as the honest provider, and what it was to ask there. */
    async function beginAttack(): Promise<{ attacker: Visitor; asked: URLSearchParams }> {
      const attacker = createVisitor();
      const redirect = await attacker.visit(`${world.deployment.url}/`, isAt(honest.issuer));
      return { attacker, asked: redirect.location().searchParams };
    }

    /** What the hostile provider makes the victim ask the honest one: their state, the attacker's nonce and challenge. */
    function leadWith(asked: URLSearchParams, redirectUri: string): void {
      hostile.lead(({ state }) => {
        const url = new URL(`${honest.issuer}/authorize`);
        url.search = asked.toString();
        url.searchParams.set('state', state);
        url.searchParams.set('redirect_uri', redirectUri);
        return url.href;
      });
    }

    test('gets the code of a visitor while all connectors share one redirect URI: what the other tests end', async () => {
      honest.redirectUris.push(common);
      await update({ usesOwnRedirectUri: false });
      const { attacker, asked } = await beginAttack();
      leadWith(asked, common);
      const victim = await loggedIn('victim');
      await victim.visit(`${bait.url}/`);
      const [stolen] = hostile.receivedCodes;
      expect(stolen).toBeDefined();
      const page = await attacker.visit(`${common}?code=${stolen}&state=${asked.get('state')}`);
      expect(visitorOf(page)).toBe('victim');
    });

    test('gets nothing where the connector has a redirect URI of its own', async () => {
      honest.redirectUris.push(own);
      await update({ usesOwnRedirectUri: true });
      const { asked } = await beginAttack();
      expect(asked.get('redirect_uri')).toBe(own);
      leadWith(asked, own);
      const victim = await loggedIn('victim');
      const callback = await victim.visit(`${bait.url}/`, isCallback);
      const page = await victim.open(callback.location());
      expect(page.status, page.text).toBe(400);
      expect(findText(page.text, 'error-description')).toContain('response_issuer');
      expect(hostile.receivedCodes).toEqual([]);
      expect(honest.receivedCodes).toEqual([]);
      // The attempt is used up: the answer does not become good by being moved to where it was asked for.
      const moved = new URL(common);
      moved.search = callback.location().search;
      const again = await victim.open(moved);
      expect(again.status).toBe(400);
      expect(hostile.receivedCodes).toEqual([]);

      const reference = findText(page.text, 'error-reference') ?? '';
      const { attempts } = await world
        .call('sign-in-attempts.find', {
          query: { slug: 'hostile', reference },
        })
        .then((found) => ({ attempts: JSON.stringify(found) }));
      expect(attempts).toContain('Received an answer at');
    });

    test('gets nothing by asking the honest provider for the address of all, or its own', async () => {
      honest.redirectUris.push(own);
      await update({ usesOwnRedirectUri: true });
      const { asked } = await beginAttack();
      const victim = await loggedIn('victim');
      for (const redirectUri of [common, `${common}/scl_hostile`]) {
        leadWith(asked, redirectUri);
        const page = await victim.visit(`${bait.url}/`);
        expect(page.url.origin, 'the honest provider redirects nowhere').toBe(honest.issuer);
        expect(page.status).toBe(400);
      }
      expect(hostile.receivedCodes).toEqual([]);
    });

    test('signs visitors in at the redirect URI of the connector, and only there', async () => {
      honest.redirectUris.push(own);
      await update({ usesOwnRedirectUri: true });
      const visitor = await loggedIn('somebody');
      const callback = (await visitor.visit(`${world.deployment.url}/`, isCallback)).location();
      expect(callback.href.startsWith(`${own}?`)).toBe(true);
      expect(visitorOf(await visitor.visit(callback))).toBe('somebody');

      const another = await loggedIn('another');
      for (const place of [common, `${common}/scl_another`, `${own}x`]) {
        const answer = (await another.visit(`${world.deployment.url}/`, isCallback)).location();
        const moved = new URL(place);
        moved.search = answer.search;
        honest.receivedCodes.splice(0);
        const page = await another.open(moved);
        expect(page.status, place).toBe(400);
        expect(honest.receivedCodes, place).toEqual([]);
      }
      expect((await another.open(`${world.deployment.url}/`)).status).toBe(303);
    });

    test('a sign-in that began before the change comes back where it was asked to', async () => {
      honest.redirectUris.push(common, own);
      await update({ usesOwnRedirectUri: false });
      const visitor = await loggedIn('early');
      const callback = (await visitor.visit(`${world.deployment.url}/`, isCallback)).location();
      expect(callback.href.startsWith(`${common}?`)).toBe(true);
      await update({ usesOwnRedirectUri: true });
      expect(visitorOf(await visitor.visit(callback))).toBe('early');
    });

    test('the connector says what to register, and the test of the connection what is open', async () => {
      const query = { teamId: world.team.id };
      const params = { id: world.connectorId };
      const found = await world.call('connectors.discover', { query, body: { issuer: honest.issuer } });
      expect(found).toMatchObject({ redirectUri: common, authorizationResponseIssParameterSupported: false });
      expect(await update({ usesOwnRedirectUri: false })).toMatchObject({
        usesOwnRedirectUri: false,
        redirectUri: common,
        ownRedirectUri: own,
        authorizationResponseIssParameterSupported: false,
      });
      const stepOf = async () => {
        const { steps } = await world.call('connectors.test', { params, query, body: {} });
        return steps.find(({ step }) => step === 'response_issuer');
      };
      const open = await stepOf();
      expect(open).toMatchObject({ outcome: 'skipped', mend: expect.stringContaining('ownRedirectUri') });
      expect(await update({ usesOwnRedirectUri: true })).toMatchObject({ redirectUri: own });
      expect(await stepOf()).toMatchObject({ outcome: 'ok', detail: expect.stringContaining(own) });
    });

    test('an answer of our own login comes at no address of a connector', async () => {
      const { projectId, url } = await world.protect('members');
      await world.call('projects.update', {
        params: { idOrName: projectId },
        query: { teamId: world.team.id },
        body: { passport: null, ssoProtection: { deploymentType: 'all' } },
      });
      const { visitor } = world.admin;
      const callback = (await visitor.visit(`${url}/`, isCallback)).location();
      const moved = new URL(own);
      moved.search = callback.search;
      expect((await visitor.open(moved)).status).toBe(400);
      expect((await visitor.visit(`${url}/`)).status).toBe(200);
    });
  },
);
