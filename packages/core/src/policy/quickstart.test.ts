import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { compileBundle, compileCanonical, type PolicyInput } from './index.js';

const text = readFileSync(new URL('../../../../apps/server/src/quickstart/policy.yaml', import.meta.url), 'utf8');
const result = compileBundle([{ path: 'policy.yaml', text }]);
if (!result.ok) throw new Error(JSON.stringify(result.problems, null, 2));
const { bundle } = result;

const request = (parts: Partial<PolicyInput>): PolicyInput => ({
  action: 'data.export',
  resource: { type: 'service', id: 'reports' },
  actor: { type: 'agent', id: 'retrainer' },
  now: '2026-11-21T12:00:00.000Z',
  ...parts,
});

const stage = (...groups: string[]) => ({ name: 'stage 1', all: groups.map((group) => ({ group, quorum: 1 })), distinct_humans: groups.length });

describe('B1: the quickstart policy', () => {
  test('asks one of the data owners for the export of a table that the caller labels pii', () => {
    const evaluation = bundle.evaluate(
      request({ action: 'data.export', resource: { type: 'postgres_table', id: 'other.people', labels: { data_class: 'pii' } } }),
    );
    expect(evaluation).toMatchObject({ effect: 'require', rules: ['customer-data'], explanation: [{ text: 'Customer tables need the data owner' }] });
    expect(evaluation.requirement).toEqual({
      stages: [stage('data-owners')],
      deny_threshold: 1,
      reason_required: { approve: false, deny: false },
      timeout_seconds: 4 * 3600,
      grant_ttl_seconds: 300,
      use_within_seconds: 300,
      via: ['api', 'email', 'slack', 'teams', 'web'],
    });
  });

  test.each(['prod.customers', 'PROD.Customers', '"prod"."customers"', ' prod . customers '])(
    'asks for %s also where the caller leaves the label out or writes another',
    (id) => {
      for (const labels of [undefined, {}, { data_class: 'public' }, { region: 'eu' }]) {
        const evaluation = bundle.evaluate(request({ action: 'data.export', resource: { type: 'postgres_table', id, labels } }));
        expect(evaluation).toMatchObject({
          effect: 'require',
          rules: ['customer-data'],
          resolved: { labels: { ...labels, data_class: 'pii' }, reversibility: 'irreversible' },
        });
      }
    },
  );

  test('asks where the type is another one than the catalogue gives to the id, or the id cannot be read', () => {
    for (const resource of [
      { type: 'pg_table', id: 'prod.customers' },
      { type: 'Postgres_Table', id: 'PROD.customers' },
      { type: 'postgres_table', id: '"prod".customers"' },
    ]) {
      expect(bundle.evaluate(request({ action: 'data.export', resource }))).toMatchObject({
        effect: 'require',
        rules: [],
        requirement: { stages: [stage('data-owners')] },
      });
    }
  });

  test('asks a data owner and security, two different people, for changes of access', () => {
    const evaluation = bundle.evaluate(request({ action: 'iam.role.grant' }));
    expect(evaluation).toMatchObject({ effect: 'require', rules: ['privilege'], requirement: { stages: [stage('data-owners', 'security')] } });
  });

  test('denies deleting a backup in production, and where no environment is given', () => {
    expect(bundle.evaluate(request({ action: 'backup.delete', environment: 'production' }))).toMatchObject({
      effect: 'deny',
      rules: ['no-backup-deletion'],
      requirement: null,
    });
    expect(bundle.evaluate(request({ action: 'backup.delete' }))).toMatchObject({ effect: 'deny', rules: ['no-backup-deletion'] });
    expect(bundle.evaluate(request({ action: 'backup.delete', environment: 'staging' }))).toMatchObject({ effect: 'allow', rules: [] });
  });

  test.each(['Data.Export', 'IAM.grant', 'BACKUP.delete'])('%s is no way round a rule', (action) => {
    expect(bundle.evaluate(request({ action, resource: { type: 'postgres_table', id: 'prod.customers' } })).effect).not.toBe('allow');
  });

  test('A3: lets everything else pass, as its default says', () => {
    expect(bundle.evaluate(request({ action: 'report.read' }))).toMatchObject({ effect: 'allow', rules: [], requirement: null });
    expect(bundle.evaluate(request({ action: 'data.export', resource: { type: 'postgres_table', id: 'prod.orders' } })).effect).toBe('allow');
    expect(bundle.defaults).toMatchObject({ outcome: 'allow', undeclared: 'allow' });
  });

  test('names its groups and is rebuilt from its canonical text', () => {
    expect(bundle).toMatchObject({ name: 'quickstart', version: 1, groups: ['data-owners', 'security'] });
    const again = compileCanonical(bundle.canonical);
    if (!again.ok) throw new Error(JSON.stringify(again.problems));
    expect(again.bundle).toMatchObject({ digest: bundle.digest, canonical: bundle.canonical });
    const input = request({ action: 'data.export', resource: { type: 'postgres_table', id: 'prod.customers' } });
    expect(again.bundle.evaluate(input)).toEqual(bundle.evaluate(input));
  });
});
