/** For Prisma's command line in development; the service migrates by itself (packages/store/src/migrate.ts). */
export default {
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env['MIGRATE_DATABASE_URL'] ?? process.env['DATABASE_URL'] ?? '' },
};
