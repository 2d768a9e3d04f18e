import { expect, test } from '@jest/globals';
import { gitPolicyOf } from './git-policy.js';

test.each([
  'git+ext::sh -c touch% /tmp/x',
  'git+https://host/repo#--upload-pack=x',
  'git+https://host/repo#-x:policy',
  'git+https://host/repo#main:../../etc',
  'git+https://host/repo#main:--output=x',
  'git+https://host/repo#main:/etc/passwd',
  'git+https://host/repo#ma..in',
  'git+https://host/repo#main^{/x}',
  'git+ssh://-oProxyCommand=x/repo',
  'git+ssh://-oProxyCommand=x@host/repo',
  'git+https://host/repo?x=1#main',
  'git+https://host/re po',
  'git+ftp://host/repo',
  'git+https://host/repo#main:policy#more',
])('B1: no option, command or foreign path hides in an address: %s', (address) => {
  expect(gitPolicyOf(address)).toBeNull();
});

test('B1: an address is read with its parts', () => {
  expect(gitPolicyOf('git+https://host/team/policy.git#release/v1.2:prod/bundle.yaml')).toEqual({
    url: 'https://host/team/policy.git',
    ref: 'release/v1.2',
    path: 'prod/bundle.yaml',
  });
  expect(gitPolicyOf('git+ssh://git@host/policy.git')).toEqual({ url: 'ssh://git@host/policy.git', ref: 'main', path: '' });
});
