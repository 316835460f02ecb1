import { describe, expect, it } from 'vitest';
import { formActionFor, hostOf, parseReturnPath } from './destinations.ts';

describe('where a form may lead', () => {
  it('follows only paths of our own', () => {
    expect(parseReturnPath('/account/teams?x=1#y')).toBe('/account/teams?x=1');
    for (const evil of [
      'https://evil.example',
      '//evil.example',
      '/\\evil.example',
      '/\t/evil.example',
      '\\\\evil.example',
      '/.//evil.example',
      '/account/..//evil.example',
      '/%2e//evil.example',
      'javascript:alert(1)',
      'account',
      '',
      `/${'a'.repeat(3000)}`,
    ]) {
      expect(parseReturnPath(evil)).toBeUndefined();
    }
  });

  it('allows the redirect URI and where it goes on to, not more', () => {
    expect(formActionFor('https://app.example/cb')).toEqual(['https:']);
    expect(formActionFor('http://localhost:3000/cb')).toContain('http://localhost:3000');
    expect(formActionFor('com.example.app:/cb')).toEqual(['https:', 'com.example.app:']);
    expect(formActionFor('http://[::1]:3000/cb')).toEqual(['https:', 'http:']);
    expect(hostOf('http://localhost:3000/cb')).toBe('localhost:3000');
    expect(hostOf('com.example.app:/cb')).toBe('com.example.app:…');
  });
});
