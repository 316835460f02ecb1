import { routes } from '@tessera/contract';
import { expect, test } from 'vitest';
import { createRestCommands } from './rest-commands.ts';

const terminal = {
  environment: {},
  folder: '/',
  hasReader: false,
  hasPerson: false,
  print: () => undefined,
  tell: () => undefined,
};

test('every call of the contract is a command, but the document about them', () => {
  const names = createRestCommands(terminal).flatMap((noun) =>
    noun.commands.map((verb) => `${noun.name()}.${verb.name()}`),
  );
  expect(names.toSorted()).toEqual(
    routes
      .map(({ name }) => name)
      .filter((name) => name !== 'openapi.get')
      .toSorted(),
  );
});

test('what a call cannot do without has to be given', () => {
  const mandatory = createRestCommands(terminal).flatMap((noun) =>
    noun.commands.flatMap((verb) =>
      verb.options
        .filter((option) => option.mandatory)
        .map((option) => `${noun.name()} ${verb.name()} ${option.long}`),
    ),
  );
  expect(mandatory).toContain('deployments list --project-id');
  expect(mandatory).toContain('sign-in-attempts find --reference');
  expect(mandatory).toContain('projects create --data');
  expect(mandatory).not.toContain('projects list --limit');
  expect(mandatory).not.toContain('share-links update --data');
});
