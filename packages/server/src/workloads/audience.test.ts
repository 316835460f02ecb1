import { describe, expect, test } from 'vitest';
import { findAudienceProblem } from './audience.ts';

const ownUrls = ['https://id.example.com', 'https://oidc.example.com/issuers', 'http://localhost:4000/api'];

/** With the audience on the list of the project, and a host that takes everything: neither opens an address of ours. */
function problemOf(audience: string, exceptions: readonly string[] = []) {
  return findAudienceProblem(audience, {
    project: {
      id: 'prj_1',
      name: 'shop',
      oidcTokenConfig: { enabled: true, issuerMode: 'team', subjectForm: 'names', audiences: [audience] },
    },
    ownUrls,
    exceptions,
    isTrustingHost: async () => true,
  });
}

describe('the audience of a token (federation-07)', () => {
  test.each([
    'https://id.example.com',
    'https://id.example.com/',
    'https://id.example.com/acme',
    'https://id.example.com./acme',
    'https://id.example.com:443/acme',
    'https://id.example.com.:443',
    'HTTPS://ID.EXAMPLE.COM/acme',
    'https://somebody:secret@id.example.com/acme',
    'https://id.example.com/acme?x=1#y',
    'https:\\\\id.example.com\\acme',
    ' https://id.example.com/acme',
    'http://id.example.com/acme',
    'https://id.example.com/x/../acme',
    'https://oidc.example.com/issuers/acme',
    'https://oidc.example.com/x/..//../issuers',
    'http://LOCALHOST.:4000/api',
  ])('is no address of ours, though it is on the list: %s', async (audience) => {
    expect((await problemOf(audience))?.description).toBe(
      `The audience "${audience}" is an address of this service itself.`,
    );
  });

  test.each([
    'https://id.example.com.evil.example/acme',
    'https://shop.example.com',
    'https://oidc.example.com/issuers-of-others',
    'http://localhost:4001/api',
    'sts.amazonaws.com',
    'id.example.com',
  ])('may be another one of the list: %s', async (audience) => {
    expect(await problemOf(audience)).toBeUndefined();
  });

  test('may be one of ours that the caller is to have', async () => {
    const own = 'https://id.example.com/acme';
    expect(await problemOf(own, [own])).toBeUndefined();
    expect(await problemOf(`${own}/`, [own])).toBeDefined();
  });
});
