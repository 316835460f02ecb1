import { describe, expect, it } from 'vitest';
import { deviceOf } from './devices.ts';

describe('the name of a device', () => {
  it('is what a person would say', () => {
    expect(deviceOf('Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/17 Safari/605')).toBe(
      'Safari on macOS',
    );
    expect(deviceOf('Mozilla/5.0 (Windows NT 10.0) Chrome/149.0 Safari/537.36 Edg/149')).toBe(
      'Edge on Windows',
    );
    expect(deviceOf('curl/8.5.0')).toBe('curl/8.5.0');
    expect(deviceOf(undefined)).toBeUndefined();
  });
});
