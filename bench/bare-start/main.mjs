/**
 * The least that a program with our dependencies can need to start: imports the same SDKs, starts the same PostgreSQL on an existing
 * home, listens, and keeps a request in one row. No migrations, no keys, no policy, no directory.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { startEmbeddedServer } from '@countersign/store';

/** What the product's default process loads, by the package that owns it. Prisma's generated client comes with the store. */
const SDKS = {
  'packages/store': ['pg', '@prisma/adapter-pg'],
  'packages/service': ['express', 'pino', 'prom-client', 'zod'],
  'packages/delivery': ['undici', 'ipaddr.js'],
  'packages/core': ['yaml', 'canonicalize', '@bufbuild/cel'],
};

const root = path.resolve(import.meta.dirname, '../..');
const loaded = {};
for (const [owner, names] of Object.entries(SDKS)) {
  const require = createRequire(path.join(root, owner, 'package.json'));
  for (const name of names) loaded[name] = await import(pathToFileURL(require.resolve(name)).href);
}

const { default: express } = loaded.express;
const { default: pg } = loaded.pg;
const server = await startEmbeddedServer({ home: process.env.COUNTERSIGN_HOME });
const pool = new pg.Pool({ connectionString: server.ownerUrl });
await pool.query('CREATE TABLE IF NOT EXISTS bare_requests (id bigserial PRIMARY KEY, body jsonb)');

const app = express();
app.use(express.json());
app.post('/v1/action-requests', async (request, response) => {
  await pool.query('INSERT INTO bare_requests (body) VALUES ($1)', [JSON.stringify(request.body)]);
  response.status(201).json({});
});
const http = app.listen(Number(process.env.PORT), '127.0.0.1');
async function stop() {
  http.close();
  await pool.end();
  await server.stop();
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
