/** Lets Node run the TypeScript sources as jest does: swc strips the types, `.js` in an import finds the `.ts`, dev-env is found by its folder. */
import { transform } from '@swc/core';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';

// Loaded twice: by --import, which registers it, and by Node as the hooks themselves.
if (isMainThread) register(import.meta.url);

const devEnv = new URL('../../packages/dev-env/src/', import.meta.url);

export async function resolve(specifier, context, next) {
  const inDevEnv = /^@countersign\/dev-env(?:\/(.+))?$/.exec(specifier);
  if (inDevEnv !== null) {
    const name = inDevEnv[1] ?? 'index';
    const file = new URL(`${name}.ts`, devEnv);
    return next((existsSync(file) ? file : new URL(`${name}/index.ts`, devEnv)).href, context);
  }
  if (/^\.{1,2}\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return next(source.href, context);
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !/\.tsx?$/.test(url)) return next(url, context);
  const { code } = await transform(await readFile(fileURLToPath(url), 'utf8'), {
    filename: fileURLToPath(url),
    sourceMaps: 'inline',
    jsc: { target: 'es2022', parser: { syntax: 'typescript', tsx: url.endsWith('x') } },
    module: { type: 'es6' },
  });
  return { format: 'module', source: code, shortCircuit: true };
}
