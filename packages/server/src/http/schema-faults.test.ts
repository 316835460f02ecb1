import { createConnectorBody, getRoute, passportSettingSchema, updateProjectBody } from '@tessera/contract';
import { describe, expect, it } from 'vitest';
import type { ZodType } from 'zod';
import { PublicError } from '#errors';
import { parseWithSchema } from './schema-faults.ts';

function faultsOf(schema: ZodType, value: unknown): string {
  try {
    parseWithSchema(schema, value, 'The body');
    return '';
  } catch (error) {
    return error instanceof PublicError ? error.message : String(error);
  }
}
const setting = { connectorId: 'scl_1', deploymentType: 'all' };
const connector = { name: 'Corp', issuer: 'https://id.example', clientId: 'tessera', clientSecret: 'secret' };

describe('a body that is not of its schema', () => {
  it.each<[string, ZodType, unknown, string]>([
    [
      'what is missing',
      createConnectorBody,
      { ...connector, name: undefined },
      "'name': missing, expected a string",
    ],
    ['another type', createConnectorBody, { ...connector, name: 5 }, "'name': expected a string, received 5"],
    ['a list', createConnectorBody, [], 'expected an object, received a list'],
    ['an unknown field', createConnectorBody, { ...connector, nam: 1 }, 'not known here: "nam"'],
    [
      'another choice',
      passportSettingSchema,
      { ...setting, deploymentType: 'every' },
      '"prod_deployment_urls_and_all_previews" or "preview", received "every"',
    ],
    [
      'a number out of its bounds',
      passportSettingSchema,
      { ...setting, sessionLifetimeSeconds: 1 },
      "'sessionLifetimeSeconds': expected at least 60, received 1",
    ],
    [
      'a text that is too long',
      createConnectorBody,
      { ...connector, clientId: 'a'.repeat(600) },
      "'clientId': expected at most 512 characters, received 600",
    ],
    [
      'an empty list',
      updateProjectBody,
      { trustedIps: { deploymentType: 'all', protectionMode: 'exclusive', addresses: [] } },
      "'trustedIps.addresses': expected at least 1 entry, received 0",
    ],
    [
      'none of several forms',
      passportSettingSchema,
      { ...setting, policy: 'nobody' },
      '\'policy\': expected "everyone", received "nobody"; or expected an object, received a string',
    ],
    [
      'a fault inside of one of several forms',
      passportSettingSchema,
      { ...setting, policy: { anyOf: [{ claim: 'groups', values: 'staff' }] } },
      "'policy': 'anyOf.0.values': expected a list, received a string",
    ],
    [
      'a domain of a rule that would match nobody',
      passportSettingSchema,
      {
        ...setting,
        policy: { anyOf: [{ claim: 'email_domain', values: ['corp.example', '@corp.example'] }] },
      },
      "'policy.anyOf.0.values.1': expected a domain such as corp.example, without the @",
    ],
    [
      'an address of a rule that is a domain',
      passportSettingSchema,
      { ...setting, policy: { anyOf: [{ claim: 'email', values: ['corp.example'] }] } },
      "'policy.anyOf.0.values.0': expected a whole address",
    ],
    [
      'a name in place of a header',
      getRoute('protection.explain').body,
      { host: 'a.example.app', method: 'GET', path: '/', headers: { 'bad name': 'x' } },
      "'headers.bad name': expected",
    ],
    [
      'neither of two forms of an address',
      getRoute('protection.explain').body,
      { host: 'a.example.app', method: 'GET', path: '/', clientAddress: 'here' },
      "'clientAddress': Invalid IPv4 address; or Invalid IPv6 address",
    ],
    [
      'a line break that was copied along',
      createConnectorBody,
      { ...connector, clientSecret: 'hunter2\n' },
      "'clientSecret': expected no space or line break at either end",
    ],
  ])('says where and what, of %s', (_, schema, value, said) => {
    expect(faultsOf(schema, value)).toContain(said);
  });

  it('repeats no text that may be a secret', () => {
    const faults = faultsOf(createConnectorBody, {
      ...connector,
      clientSecret: ['hunter2'],
      name: { a: 'hunter2' },
    });
    expect(faults).toContain("'clientSecret': expected a string, received a list");
    expect(faults).not.toContain('hunter2');
  });
});
