import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { countersign } from './testing/terminal.js';

const cwd = tmpdir();

test('help goes to standard output, mistakes to standard error with exit code 2', async () => {
  const help = await countersign(['--help'], { cwd });
  expect(help).toMatchObject({ code: 0, err: '' });
  for (const name of ['ledger verify', 'ledger export', 'quickstart link', 'doctor', 'verify-webhook', 'verify-grant']) {
    expect(help.out).toContain(name);
    expect(await countersign([...name.split(' '), '--help'], { cwd })).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining(`Usage: countersign ${name}`),
    });
    const wrong = await countersign([...name.split(' '), '--no-such-option'], { cwd });
    expect(wrong).toMatchObject({ code: 2, out: '' });
    expect(wrong.err.split('\n')[0]).toMatch(new RegExp(`^countersign ${name}: .*--no-such-option`));
  }
  expect((await countersign([], { cwd })).code).toBe(2);
  expect(await countersign(['ledger', 'burn'], { cwd })).toMatchObject({ code: 2, out: '', err: expect.stringContaining('ledger verify, ledger export') });
});

test('in a checkout that is not built it says what to run', async () => {
  const checkout = await mkdtemp(path.join(tmpdir(), 'countersign-unbuilt-'));
  try {
    await mkdir(path.join(checkout, 'bin'));
    await writeFile(path.join(checkout, 'package.json'), '{"type":"module"}');
    const script = path.join(checkout, 'bin', 'countersign');
    await cp(fileURLToPath(new URL('../../../bin/countersign', import.meta.url)), script);
    const ended = await new Promise<{ code: unknown; stderr: string }>((resolve) =>
      execFile(process.execPath, [script, 'doctor'], (error, _stdout, stderr) => resolve({ code: error?.code ?? 0, stderr })),
    );
    expect(ended).toEqual({ code: 2, stderr: expect.stringMatching(/^countersign: .*npm start.*npm run build.*\n$/) });
  } finally {
    await rm(checkout, { recursive: true });
  }
});
