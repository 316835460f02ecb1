import {
  error,
  exact,
  isLike,
  readObject,
  readTexts,
  TrustInputRefused,
  warning,
  type Condition,
  type Finding,
  type Verifier,
} from './condition.ts';

const algorithms = ['RS256', 'RS384', 'RS512', 'ES256', 'ES384', 'ES512'];
const assume = 'sts:AssumeRoleWithWebIdentity';

/** The trust policy of an IAM role. For an issuer that AWS does not know, `aud` and `sub` are all that it can compare. */
export const aws: Verifier = {
  title: 'AWS',
  algorithms,
  defaultAudience: 'sts.amazonaws.com',
  print({ issuer, audience, subjects, account }) {
    if (!/^\d{12}$/.test(account ?? '')) {
      throw new TrustInputRefused(
        'AWS needs the account of the identity provider: add --account with its 12 digits.',
      );
    }
    const { protocol, port } = new URL(issuer);
    if (protocol !== 'https:' || port !== '') {
      throw new TrustInputRefused(`The issuer is ${issuer}; AWS takes https without a port.`);
    }
    const provider = issuer.slice('https://'.length);
    return {
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { Federated: `arn:aws:iam::${account}:oidc-provider/${provider}` },
          Action: assume,
          Condition: {
            StringEquals: {
              [`${provider}:aud`]: audience,
              [`${provider}:sub`]: subjects.length === 1 ? subjects[0] : subjects,
            },
          },
        },
      ],
    };
  },
  notes: ({ issuer, audience }) => [
    `Create the identity provider once: aws iam create-open-id-connect-provider --url ${issuer} --client-id-list ${audience}`,
    'This is the trust policy of the role: aws iam create-role --role-name NAME --assume-role-policy-document file://FILE',
  ],
  read(configuration) {
    const { Statement: given } = readObject(configuration, 'configuration');
    const statements: readonly unknown[] = Array.isArray(given) ? given : [given];
    const read = statements.map((statement, index) => readStatement(statement, `Statement[${index}]`));
    return {
      grants: read.flatMap(({ grants }) => grants),
      findings: read.flatMap(({ findings }) => findings),
    };
  },
};

function readStatement(value: unknown, line: string): ReturnType<Verifier['read']> {
  const statement = readObject(value, line);
  const { Effect, Principal, Action, NotAction, NotPrincipal } = statement;
  if (Effect !== 'Allow' || NotAction !== undefined || NotPrincipal !== undefined) {
    throw new TrustInputRefused(
      `${line} is a Deny, or has NotAction or NotPrincipal; only Allow of named ones is read here.`,
    );
  }
  const actions = readTexts(Action, `${line}.Action`) ?? [];
  if (!actions.some(takesAction)) return { grants: [], findings: [] };
  const principals: Readonly<Record<string, unknown>> =
    typeof Principal === 'string' ? { AWS: Principal } : readObject(Principal, `${line}.Principal`);
  const open = readTexts(principals['AWS'], `${line}.Principal.AWS`)?.includes('*') ?? false;
  const findings = open
    ? [error('everyone', `${line}.Principal`, 'Everyone may assume the role. Name the identity provider.')]
    : [];
  const providers = readTexts(principals['Federated'], `${line}.Principal.Federated`) ?? [];
  const grants = providers.map((arn) => {
    const [, provider] = /^arn:[\w-]+:iam::\d{12}:oidc-provider\/(.+)$/.exec(arn) ?? [];
    if (provider === undefined) {
      throw new TrustInputRefused(
        `${line}.Principal.Federated is ${JSON.stringify(arn)}; expected arn:aws:iam::…:oidc-provider/….`,
      );
    }
    const { conditions, mistakes } = readConditions(statement['Condition'], provider, `${line}.Condition`);
    findings.push(...mistakes);
    return {
      line,
      conditions: [...exact(`${line}.Principal.Federated`, 'iss', [`https://${provider}`]), ...conditions],
    };
  });
  return { grants, findings };
}

/** Whether an Action means the one by which workloads come in: case does not count, `*` and `?` are wildcards. */
function takesAction(pattern: string): boolean {
  return isLike(assume.toLowerCase(), pattern.toLowerCase());
}

function readConditions(
  value: unknown,
  provider: string,
  line: string,
): { conditions: Condition[]; mistakes: Finding[] } {
  const conditions: Condition[] = [];
  const mistakes: Finding[] = [];
  for (const [operator, block] of Object.entries(readObject(value ?? {}, line))) {
    for (const [key, given] of Object.entries(readObject(block, `${line}.${operator}`))) {
      const at = `${line}.${operator}["${key}"]`;
      const claim = key.slice(key.lastIndexOf(':') + 1);
      const values = readTexts(given, at) ?? [];
      if (key !== `${provider}:${claim}`) {
        mistakes.push(
          error(
            'swapped-issuer',
            at,
            `The key is of another issuer than the principal (${provider}): it is never there.`,
          ),
        );
        conditions.push({ line: at, claim, match: 'unread', values });
        continue;
      }
      if (claim !== 'aud' && claim !== 'sub') {
        mistakes.push(
          warning(
            'unknown-key',
            at,
            'For an issuer that it does not know AWS compares aud and sub alone; this is never there.',
          ),
        );
      }
      const match = operator === 'StringEquals' ? 'exact' : operator === 'StringLike' ? 'pattern' : 'unread';
      conditions.push({ line: at, claim, match, values });
    }
  }
  return { conditions, mistakes };
}
