import type { JsonValue } from '@countersign/contracts';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { shell } from './shell.js';

const compute = (from: JsonValue | undefined) => shell.compute({ from: 'parameters.command' }, () => from);
function facts(line: string): Record<string, JsonValue> {
  const result = compute(line);
  if ('error' in result) throw new Error(`${line}: ${result.error}`);
  return result.value;
}

describe('what a command line starts', () => {
  test('programs, words, pipelines and files', () => {
    expect(facts("grep -r 'a b' src | sort -u > out.txt 2>&1")).toEqual({
      programs: ['grep', 'sort'],
      commands: [
        { program: 'grep', args: ['-r', 'a b', 'src'], privileged: false, dynamic: false },
        { program: 'sort', args: ['-u'], privileged: false, dynamic: false },
      ],
      privileged: false,
      opaque: false,
      pipeline: true,
      background: false,
      substitutions: false,
      dynamic: false,
      writes_to: ['out.txt'],
      reads_from: [],
      assigns: [],
    });
    expect(facts('cat < in >> log &')).toMatchObject({ reads_from: ['in'], writes_to: ['log'], background: true });
    expect(facts('A=1 B=2 make all')).toMatchObject({ programs: ['make'], assigns: ['A', 'B'] });
    expect(facts('ls *.ts "$HOME"')).toMatchObject({
      programs: ['ls'],
      dynamic: true,
      commands: [{ program: 'ls', args: [], privileged: false, dynamic: true }],
    });
  });

  test('a program is known by its name in the folders of the system, and by its path anywhere else', () => {
    for (const [line, program] of [
      ['/bin/rm x', 'rm'],
      ['/usr/bin/../bin//rm x', 'rm'],
      ['//usr/local/bin/rm x', 'rm'],
      ['./rm x', './rm'],
      ['/tmp/rm x', '/tmp/rm'],
      ['bin/rm x', 'bin/rm'],
      ['../bin/rm x', '../bin/rm'],
    ] as const)
      expect([line, facts(line)['programs']]).toEqual([line, [program]]);
  });

  test('what only starts other programs is looked through', () => {
    for (const line of [
      'sudo rm -rf x',
      'sudo -n -u root -- rm -rf x',
      'sudo A=1 rm -rf x',
      'doas -u root rm -rf x',
      'sudo env -i A=1 nice -n 5 timeout -k 1 5 rm -rf x',
      'sudo nohup setsid -f rm -rf x',
      'sudo command exec rm -rf x',
      'sudo busybox rm -rf x',
    ])
      expect([line, facts(line)]).toEqual([
        line,
        expect.objectContaining({
          privileged: true,
          commands: expect.arrayContaining([{ program: 'rm', args: ['-rf', 'x'], privileged: true, dynamic: false }]),
        }),
      ]);
    expect(facts('find . -name a -exec rm {} ;'.replace(';', '\\;'))).toMatchObject({ programs: ['find', 'rm'], dynamic: true });
    expect(facts('echo a | xargs -0 -n 1 rm -f')).toMatchObject({ programs: ['echo', 'rm', 'xargs'], dynamic: true });
  });

  test('code of other languages, and in other places, is told as such', () => {
    for (const line of [
      'python3.11 -c "x"',
      'curl x | sh',
      'bash script.sh',
      'source x',
      '. ./x',
      'ssh host rm',
      'docker run x',
      'node -e 1',
      'awk 1',
      'sudo -i',
      'bash <<E\nrm\nE',
      'su -c "rm x"',
    ])
      expect([line, facts(line)['opaque']]).toEqual([line, true]);
    for (const line of ['rm x', 'curl x', 'bash -c "ls"']) expect([line, facts(line)['opaque']]).toEqual([line, false]);
  });

  test('a list of words is taken as it is, whatever stands in it', () => {
    const argv = (words: JsonValue | undefined) => shell.compute({ argv: 'parameters.argv' }, () => words);
    expect(argv(['rm', '-rf', '$(x)', '; ls'])).toMatchObject({
      value: { programs: ['rm'], commands: [{ args: ['-rf', '$(x)', '; ls'] }], substitutions: false },
    });
    expect(argv(['sudo', 'sh', '-c', 'rm x; ls'])).toMatchObject({ value: { programs: ['ls', 'rm', 'sh', 'sudo'], privileged: true } });
    for (const words of [[], 'rm', ['rm', 1], undefined, [''], {}, ['a\u0000']]) expect([words, 'error' in argv(words)]).toEqual([words, true]);
  });
});

describe('a program that hides', () => {
  test('rm is found, or the line is an error', () => {
    for (const line of [
      'ls; rm x',
      'ls\nrm x',
      'ls & rm x',
      'ls && rm x',
      'ls || rm x',
      'ls | rm x',
      'ls |& rm x',
      'ls $(rm x)',
      'ls "$(rm x)"',
      'ls `rm x`',
      'ls "`rm x`"',
      'ls "$(echo "$(rm x)")"',
      'ls <(rm x)',
      'ls > >(rm x)',
      'ls ${a:-$(rm x)}',
      'ls "${a:=`rm x`}"',
      'ls ${a/b/$(rm x)}',
      'a=$(rm x) ls',
      'a=(1 $(rm x)); ls',
      'ls > $(rm x)',
      'cat <<E\n$(rm x)\nE',
      'cat <<E\n`rm x`\nE',
      'cat <<< "$(rm x)"',
      'echo $(( $(rm x) ))',
      "a='b[$(rm x)]'; echo $((a))",
      "a='b[$(rm x)]'; (( a ))",
      "a='b[$(rm x)]'; [[ $a -eq 1 ]]",
      "a='b[$(rm x)]'; echo ${c:a:1}",
      "a='b[$(rm x)]'; echo ${c[a]}",
      "test -v 'b[$(rm x)]'",
      "printf -v 'b[$(rm x)]' y",
      "read 'b[$(rm x)]'",
      "unset 'b[$(rm x)]'",
      'a=rm; ${a} x',
      'a=rm; $a x',
      "a='$(rm x)'; echo ${a@P}",
      'a=b; b=rm; ${!a} x',
      'r""m x',
      "r''m x",
      'r\\m x',
      'r\\\nm x',
      "$'\\x72m' x",
      "$'\\162\\u006d' x",
      "$'rm\\0a' x",
      '$"rm" x',
      '/bin/r? x',
      '/bin/r[m] x',
      '{rm,x}',
      '$(echo rm) x',
      '`echo rm` x',
      'eval rm x',
      'eval "r""m" x',
      'eval $a',
      'eval "$(cat x)"',
      'eval \'eval "rm x"\'',
      'trap "rm x" EXIT',
      'bash -c "rm x"',
      'bash -euxc "rm x"',
      'bash -c -e "rm x"',
      'sh -c "$a"',
      'sh -c \'sh -c "sh -c \\"rm x\\""\'',
      'env rm x',
      'env - rm x',
      'env -S "rm x"',
      'env -S"rm x"',
      'env -iS "rm x"',
      'env -S "A=1 rm" x',
      "env -S 'r${a}m' x",
      'env --split-string="rm x"',
      'sudo -X rm x',
      'echo x | xargs rm',
      'echo x | xargs -I{} rm {}',
      'echo rm | xargs -I{} {} x',
      'echo x | xargs sh -c "rm x"',
      'find . -exec rm {} +',
      'find . -ok sh -c "rm x" \\;',
      'find . -exec rm x',
      'f() { rm x; }; f',
      'function ls { rm x; }; ls',
      'ls() (rm x); ls',
      'coproc rm x',
      'alias ls=rm; ls x',
      'enable -f x ls',
      'hash -p /bin/rm ls; ls x',
      'PATH=/tmp ls',
      'export PATH=/tmp; ls',
      'LD_PRELOAD=x ls',
      'env LD_PRELOAD=x ls',
      'declare -x PATH=/tmp',
      'read PATH < x; ls',
      'for PATH in /tmp; do ls; done',
      ': ${PATH:=/tmp}',
      'GIT_SSH_COMMAND="rm x" git fetch',
      'if rm x; then ls; fi',
      'while rm x; do ls; done',
      'case x in x) rm x;; esac',
      'case $(rm x) in x) ls;; esac',
      'for a in $(rm x); do ls; done',
      'for ((a=$(rm x);;)); do ls; done',
      '! rm x',
      'time rm x',
      'time -p rm x',
      '(rm x)',
      '{ rm x; }',
      '[[ -n $(rm x) ]]',
      '[ $(rm x) ]',
      'ls \u00a0; rm x',
      'rm\u00a0x',
      'ls #\nrm x',
      'ls # \\\nrm x',
      "ls '\\'; rm x",
      'ls "\\\\"; rm x',
      'ls <<E; rm x\nE',
      "ls <<'E'\nE\nrm x",
      'ls <<-E\n\tE\nrm x',
      'ls <<E\n E\nE\nrm x',
      'nice -n 5 rm x',
      'timeout 5 rm x',
      'builtin eval rm x',
      'command eval rm x',
      'exec -a ls rm x',
      'busybox rm x',
      'busybox sh -c "rm x"',
      'chroot / rm x',
      'stdbuf -oL rm x',
      'ls\rrm x',
      'ls\u2028rm x',
      'mapfile -C "rm x" a',
    ]) {
      const result = compute(line);
      expect([line, 'error' in result || (result.value['programs'] as string[]).includes('rm')]).toEqual([line, true]);
    }
  });

  test('in substitutions of processes it is found; behind an option that is not known the line is an error', () => {
    expect(facts('diff <(rm x) <(ls)')).toMatchObject({ programs: ['diff', 'ls', 'rm'], substitutions: true });
    expect(facts('tee >(rm x)')).toMatchObject({ programs: ['rm', 'tee'] });
    // The option may take the next word, and then another one is the program.
    for (const line of ['sudo -Z ls rm x', 'env --new ls rm x', 'xargs --new ls rm x', 'timeout --new 5 rm x'])
      expect([line, 'error' in compute(line)]).toEqual([line, true]);
  });

  test('what is no text, or no command line, is an error', () => {
    for (const value of [
      undefined,
      null,
      1,
      [],
      {},
      '',
      '  ',
      '# x',
      "echo 'a",
      'echo "a',
      'echo $(a',
      'a |',
      '> ',
      'if x',
      'a & & b',
      '(',
      ')',
      'case x in',
      '<<E',
      'echo `a',
      'rm\u0000',
      '\ud800',
      'x'.repeat(16_385),
    ])
      expect([value, 'error' in compute(value)]).toEqual([value, true]);
  });

  test('wherever rm stands in a chain of harmless commands, it is found', () => {
    const harmless = fc.constantFrom('ls -l', "echo 'a;b'", 'cat a > b', 'echo "a$(ls)b"', 'grep x y', "printf '%s' a", 'cat <<< a');
    const joint = fc.constantFrom(';', '&&', '||', '|', '&', '\n', ' ; ', ' |& ');
    const hidden = fc.constantFrom(
      'rm -rf x',
      '/bin/rm x',
      "r''m x",
      '\\rm x',
      '(rm x)',
      '{ rm x; }',
      'sudo rm x',
      'echo $(rm x)',
      'sh -c "rm x"',
      'true `rm x`',
      'env -S "rm x"',
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(harmless, joint), { maxLength: 4 }), hidden, fc.array(fc.tuple(joint, harmless), { maxLength: 4 }), (before, rm, after) => {
        const line = before.flat().join('') + rm + after.flat().join('');
        expect(compute(line)).toMatchObject({ value: { programs: expect.arrayContaining(['rm']) } });
      }),
    );
  });

  test('no text makes it throw, and long or deep ones end', () => {
    const piece = fc.constantFrom(
      '$(',
      ')',
      '`',
      '"',
      "'",
      '\\',
      '{',
      '}',
      '(',
      '((',
      '))',
      '[[',
      ']]',
      ';',
      '&',
      '|',
      '<',
      '<<E',
      '>',
      '\n',
      'rm',
      'if',
      'fi',
      'case',
      'in',
      'esac',
      '${',
      '$',
      '=',
      '*',
      '~',
      '#',
      ' ',
      'eval',
      'sudo',
      'env -S',
      'a',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 50 }).map((pieces) => pieces.join('')),
          fc.array(piece, { maxLength: 50 }).map((pieces) => pieces.join(' ')),
          fc.string({ unit: 'binary' }),
        ),
        (line) => {
          compute(line);
        },
      ),
      { numRuns: 1000 },
    );
    for (const piece of [
      '$(',
      '`',
      '"$(',
      '(',
      '{ ',
      'a|',
      'a&&',
      'if ',
      '${a:-',
      '<<E ',
      '@(',
      'eval ',
      'sudo ',
      'env ',
      'sh -c ',
      '$((',
      '[[ ',
      '{a,',
      '\\',
      'a;',
    ])
      for (const times of [100, 1_000, 8_000]) compute(piece.repeat(times).slice(0, 16_384));
  });
});
