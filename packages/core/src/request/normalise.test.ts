import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { normaliseResourceId } from './normalise.js';

const same = (type: string, id: string, expected: string): void => expect(normaliseResourceId(type, id)).toEqual({ ok: true, id: expected });

describe('spellings of one resource meet, and others do not', () => {
  test.each<[string, string, string]>([
    ['postgres_table', 'prod.customers', 'prod.customers'],
    ['postgres_table', ' PROD.Customers ', 'prod.customers'],
    ['postgres_table', '"prod"."customers"', 'prod.customers'],
    ['postgres_table', 'prod . "customers"', 'prod.customers'],
    ['postgres_table', 'prod."Customers"', 'prod."Customers"'],
    ['postgres_table', 'prod."a.b"', 'prod."a.b"'],
    ['postgres_table', 'prod."a""b"', 'prod."a""b"'],
    ['postgres_table', 'prod.cafe\u0301', 'prod.caf\u00e9'],
    ['mysql_table', '`Shop`.`Orders`', 'shop.orders'],
    ['mysql_table', 'shop.`a b`', 'shop.`a b`'],
    ['mysql_table', 'shop."A b"', 'shop.`a b`'],
    ['bigquery_table', '`My-Project.sales.Orders`', 'my-project.sales.orders'],
    ['bigquery_table', 'my-project.`sales`.orders', 'my-project.sales.orders'],
    ['snowflake_table', 'Prod.Customers', 'prod.customers'],
    ['snowflake_table', '"PROD"."CUSTOMERS"', 'prod.customers'],
    ['snowflake_table', '"PROD"."customers"', 'prod."customers"'],
    ['s3_bucket', 'S3://ML-Retraining/Customers.csv', 'ml-retraining/Customers.csv'],
    ['s3_bucket', 'arn:aws:s3:::ml-retraining', 'ml-retraining'],
    ['s3_bucket', 's3://ml-retraining/', 'ml-retraining'],
    ['gcs_bucket', 'gs://data/x//y', 'data/x//y'],
    ['role', '  Admin ', 'Admin'],
    ['role', 'e\u0301', '\u00e9'],
  ])('%s %j is %j', (type, id, expected) => same(type, id, expected));

  test.each<[string, string]>([
    ['postgres_table', ''],
    ['postgres_table', 'prod..customers'],
    ['postgres_table', 'prod.customers.'],
    ['postgres_table', '.customers'],
    ['postgres_table', 'prod."customers'],
    ['postgres_table', '"prod"x'],
    ['postgres_table', '""'],
    ['postgres_table', 'prod/**/.customers'],
    ['postgres_table', 'U&"\\0063ustomers"'],
    ['postgres_table', 'prod.customers; drop table x'],
    ['postgres_table', 'prod.*'],
    ['postgres_table', 'a.b.c.d'],
    ['postgres_table', `prod.${'c'.repeat(64)}`],
    ['postgres_table', 'prod.cust\u200bomers'],
    ['postgres_table', 'prod.\u202esremotsuc'],
    ['bigquery_table', 'p.d.events_*'],
    ['s3_bucket', 'https://bucket.s3.amazonaws.com/x'],
    ['s3_bucket', 'gs://bucket/x'],
    ['s3_bucket', 'bucket/a/../b'],
    ['s3_bucket', 'a'],
    ['role', 'admin\u200d'],
    ['role', 'ad\nmin'],
    ['role', 'ad\u00a0min'],
    ['role', ' '],
  ])('%s %j cannot be normalised', (type, id) => expect(normaliseResourceId(type, id)).toMatchObject({ ok: false }));

  test('normalising twice changes nothing', () => {
    const types = fc.constantFrom('postgres_table', 'mysql_table', 'bigquery_table', 'snowflake_table', 's3_bucket', 'gcs_object', 'role');
    const ids = fc
      .array(fc.constantFrom('a', 'B', '.', '"', '`', ' ', 'é', 'É', 'e\u0301', 'ß', 'İ', '/', '-', '_', 's3://', '1', '\u212A'), { maxLength: 12 })
      .map((letters) => letters.join(''));
    fc.assert(
      fc.property(types, ids, (type, id) => {
        const once = normaliseResourceId(type, id);
        if (once.ok) expect([type, normaliseResourceId(type, once.id)]).toEqual([type, once]);
      }),
      { numRuns: 5000 },
    );
  });
});
