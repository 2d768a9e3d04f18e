import { expect, test } from '@jest/globals';
import { passkeyCheck } from './passkeys.js';

const statusOf = (publicUrl: string): string => passkeyCheck({ http: { host: '127.0.0.1', port: 8080, publicUrl } }).status;

test('doctor says where browsers would offer no passkey', () => {
  expect(['https://approve.example.com', 'http://localhost:8080', 'http://approve.localhost'].map(statusOf)).toEqual(['ok', 'ok', 'ok']);
  expect(['https://10.0.0.7', 'http://127.0.0.1:8080', 'http://[::1]:8080', 'http://approve.example.com'].map(statusOf)).toEqual([
    'warn',
    'warn',
    'warn',
    'warn',
  ]);
});
