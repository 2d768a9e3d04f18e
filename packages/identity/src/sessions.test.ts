import { describe, expect, test } from '@jest/globals';
import { endedSessionCookie, readSessionCookie, sessionCookie, sessionCookieName } from './sessions.js';

const value = 'A'.repeat(43);

describe('the session cookie', () => {
  test('on https is one that no other host or subdomain can set', () => {
    expect(sessionCookie('https://countersign.example.com', value)).toBe(`__Host-cs=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400; Secure`);
  });

  test('on http, where browsers take no __Host-, has the plain name and is still out of reach of scripts', () => {
    expect(sessionCookieName('http://localhost:8080')).toBe('cs');
    expect(sessionCookie('http://localhost:8080', value)).toBe(`cs=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=86400`);
    expect(endedSessionCookie('http://localhost:8080')).toContain('cs=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0');
  });

  test('is found among others, and only under its exact name', () => {
    expect(readSessionCookie('http://localhost', `a=b; cs=${value}; c=d`)).toBe(value);
    expect(readSessionCookie('https://x.example', `cs=${value}`)).toBeNull();
    expect(readSessionCookie('http://localhost', `xcs=${value}`)).toBeNull();
    expect(readSessionCookie('http://localhost', undefined)).toBeNull();
  });

  test('given twice with different values is not believed: one of them was planted', () => {
    expect(readSessionCookie('http://localhost', `cs=${value}; cs=${'B'.repeat(43)}`)).toBeNull();
    expect(readSessionCookie('http://localhost', `cs=${value}; cs=${value}`)).toBe(value);
  });

  test('of another form is no session', () => {
    expect(readSessionCookie('http://localhost', 'cs=')).toBeNull();
    expect(readSessionCookie('http://localhost', `cs=${value}x`)).toBeNull();
    expect(readSessionCookie('http://localhost', `cs="${value}"`)).toBeNull();
  });
});
