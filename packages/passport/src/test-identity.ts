import { hasEnvironment, readEnvironment, type Names } from './environment.ts';
import { PassportError, show } from './errors.ts';
import { identityOf, type PassportIdentity } from './identity.ts';

/** A visitor for your own machine. What is left out is plainly of no real team. */
export type TestIdentity = {
  externalSub: string;
  email?: string | undefined;
  name?: string | undefined;
  /** Further claims, with the names of the wire: `{ groups: ['staff'] }`. */
  claims?: Readonly<Record<string, unknown>> | undefined;
};

/** @throws {PassportError} `test_identity_refused`, wherever it cannot be told that no real visitors come */
export function createTestIdentity(test: TestIdentity, names: Names): PassportIdentity {
  const problem = deployedBecause(names);
  if (problem !== undefined) {
    throw new PassportError(
      'test_identity_refused',
      `A test identity is for your own machine, but ${problem}. Leave testIdentity out here.`,
    );
  }
  if (typeof test.externalSub !== 'string' || test.externalSub === '') {
    throw new PassportError(
      'option',
      `testIdentity.externalSub is ${show(test.externalSub)}; expected a text.`,
    );
  }
  const sub = `owner:test:connector:test:principal:${encodeURIComponent(test.externalSub)}`;
  return identityOf(
    {
      ...test.claims,
      ...(test.email === undefined ? {} : { email: test.email }),
      ...(test.name === undefined ? {} : { name: test.name }),
      typ: 'passport',
      sub,
      scope: sub,
      external_sub: test.externalSub,
      connector_id: 'test',
      owner: 'test',
      owner_id: 'test',
      project: 'test',
      project_id: 'test',
      environment: 'development',
    },
    true,
  );
}

function deployedBecause({ environmentVariables }: Names): string | undefined {
  if (!hasEnvironment()) return 'this runtime does not say whether it is in production';
  if (readEnvironment('NODE_ENV') === 'production') return 'NODE_ENV is production';
  for (const name of environmentVariables) {
    const value = readEnvironment(name);
    if (value !== undefined && value !== 'development') return `${name} is ${show(value)}`;
  }
  return undefined;
}
