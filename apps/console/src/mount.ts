import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the service's one port dispatches to. */
export interface ConsoleMount {
  name: string;
  paths: string[];
  handler(request: IncomingMessage, response: ServerResponse): void;
}

/** Built by Vite beside the compiled code; found from the sources too. */
const builtClient = fileURLToPath(new URL('../dist/client', import.meta.url));

const contentTypes: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/**
 * No script but our own, no frame around us, no form to elsewhere: a page that shows other people's text may not run it
 * (OWASP, clickjacking and cross-site scripting).
 */
const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'permissions-policy': 'publickey-credentials-get=(self), publickey-credentials-create=(self), camera=(), microphone=(), geolocation=()',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
};

/**
 * The web inbox's files. Only files that the build made are served; every page address answers with the one page, whose
 * script shows what belongs there.
 *
 * @param folder where the built client lies; the package's own build when absent
 */
export async function createConsole(folder: string = builtClient): Promise<{ mount(): ConsoleMount }> {
  const files = await listFiles(folder);
  const page = await readFile(path.join(folder, 'index.html'));
  return {
    mount: () => ({
      name: 'console',
      paths: ['/'],
      handler: (request, response) => {
        if (request.method !== 'GET' && request.method !== 'HEAD') {
          response.writeHead(405, { allow: 'GET, HEAD', ...securityHeaders }).end();
          return;
        }
        const pathname = new URL(request.url ?? '/', 'http://localhost').pathname;
        const file = files.get(pathname);
        if (file === undefined || file.type === contentTypes['.html']) return sendPage(request, response, page);
        response.writeHead(200, { ...securityHeaders, 'content-type': file.type, 'content-length': file.size, 'cache-control': file.caching });
        if (request.method === 'HEAD') response.end();
        else
          createReadStream(file.path)
            .on('error', () => response.destroy())
            .pipe(response);
      },
    }),
  };
}

function sendPage(request: IncomingMessage, response: ServerResponse, page: Buffer): void {
  response.writeHead(200, { ...securityHeaders, 'content-type': 'text/html; charset=utf-8', 'content-length': page.length, 'cache-control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : page);
}

interface ServedFile {
  path: string;
  type: string;
  size: number;
  caching: string;
}

async function listFiles(folder: string): Promise<Map<string, ServedFile>> {
  const files = new Map<string, ServedFile>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const full = path.join(entry.parentPath, entry.name);
    const url = `/${path.relative(folder, full).split(path.sep).join('/')}`;
    files.set(url, {
      path: full,
      type: contentTypes[path.extname(entry.name)] ?? 'application/octet-stream',
      size: (await stat(full)).size,
      // Vite puts a hash of the content into the names under /assets/.
      caching: url.startsWith('/assets/') ? 'public, max-age=31536000, immutable' : 'no-cache',
    });
  }
  return files;
}
