import { error, exact, readObject, readTexts, warning, type Verifier } from './condition.ts';

const algorithms = ['RS256', 'ES256'];

/** The configuration of a `jwt` auth method and one role of it, in one document: the issuer stands in the first. */
export const vault: Verifier = {
  title: 'Vault',
  algorithms,
  print: ({ issuer, audience, subjects }) => ({
    config: { oidc_discovery_url: issuer, bound_issuer: issuer, jwt_supported_algs: algorithms },
    role: {
      role_type: 'jwt',
      user_claim: 'sub',
      bound_audiences: [audience],
      bound_claims_type: 'string',
      bound_claims: { sub: subjects },
      token_policies: ['POLICY'],
      token_ttl: '15m',
    },
  }),
  notes: () => [
    'vault auth enable jwt; then `config` to auth/jwt/config and `role` to auth/jwt/role/NAME, each as JSON on standard input: vault write PATH -',
    'Vault takes a token up to 150 seconds beyond its end, and as long before its beginning.',
  ],
  read(configuration) {
    const { config: givenConfig, role: givenRole } = readObject(configuration, 'configuration');
    const config = readObject(givenConfig, 'config');
    const role = readObject(givenRole, 'role');
    const bound =
      readTexts(config['bound_issuer'] ?? '', 'config.bound_issuer')?.filter((each) => each !== '') ?? [];
    const audiences = readTexts(role['bound_audiences'], 'role.bound_audiences') ?? [];
    const subject =
      readTexts(role['bound_subject'], 'role.bound_subject')?.filter((each) => each !== '') ?? [];
    const glob = role['bound_claims_type'] === 'glob';
    const discovery = config['oidc_discovery_url'];
    return {
      grants: [
        {
          line: 'role',
          conditions: [
            ...(bound.length === 0 ? [] : exact('config.bound_issuer', 'iss', bound)),
            ...(audiences.length === 0 ? [] : exact('role.bound_audiences', 'aud', audiences)),
            ...(subject.length === 0 ? [] : exact('role.bound_subject', 'sub', subject)),
            ...Object.entries(readObject(role['bound_claims'] ?? {}, 'role.bound_claims')).map(
              ([claim, given]) => {
                const line = `role.bound_claims.${claim}`;
                // Vault globs know `*` alone.
                const values = readTexts(given, line) ?? [];
                const pointer =
                  claim.startsWith('/') || (glob && values.some((value) => value.includes('?')));
                return {
                  line,
                  claim,
                  match: pointer ? ('unread' as const) : glob ? ('pattern' as const) : ('exact' as const),
                  values,
                };
              },
            ),
          ],
        },
      ],
      findings: [
        ...(config['jwks_pairs'] === undefined
          ? []
          : [
              error(
                'issuer-not-compared',
                'config.jwks_pairs',
                'With several key sets Vault compares no issuer and takes any key by its id.',
              ),
            ]),
        ...(typeof discovery === 'string' && bound.length > 0 && !bound.includes(discovery)
          ? [
              error(
                'swapped-issuer',
                'config.oidc_discovery_url',
                'The keys are of another issuer than bound_issuer.',
              ),
            ]
          : []),
        ...(role['role_type'] === 'jwt'
          ? []
          : [
              error(
                'role-type',
                'role.role_type',
                'Expected "jwt": a role of another type is for people in a browser.',
              ),
            ]),
        ...(role['user_claim'] === 'sub' || role['user_claim'] === 'project_id'
          ? []
          : [
              warning(
                'user-claim',
                'role.user_claim',
                'The alias is of this claim: take sub or project_id, which are of one workload.',
              ),
            ]),
      ],
    };
  },
};
