import { Unreadable } from '../inputs.js';

/** A word of a command line: its text, or undefined where it is only known when it runs (a variable, a pattern, a substitution). */
export type ShellWord = string | undefined;

/** One program that will be started, with what stands before it taken off. */
export interface ShellCommand {
  /** The bare name where it stands alone or in a folder of the system; otherwise the path as written, normalised. */
  readonly program: string;
  readonly args: readonly ShellWord[];
  readonly privileged: boolean;
}

export interface CommandSink {
  add(command: ShellCommand): void;
  /** Code that is not shell or does not stand here will run. */
  opaque(): void;
  /** A text that is itself a command line. */
  script(text: string, privileged: boolean): void;
  assigned(name: string): void;
}

const MAX_PREFIXES = 16;

/** Options of programs that start others: those that take the next word, those that stand alone; another one is not understood. */
interface Prefix {
  readonly value: RegExp;
  readonly alone: RegExp;
  /** Words between the options and the program. */
  readonly operands?: number;
  readonly privileged?: true;
  /** NAME=value words may stand before the program. */
  readonly assigns?: true;
}

const NONE = /^$/;
const PREFIXES: Readonly<Record<string, Prefix>> = {
  sudo: {
    value: /^-(?:[ughpCrtTUDR])$|^--(?:user|group|host|prompt|close-from|role|type|command-timeout|other-user|chdir|chroot)$/,
    alone:
      /^-[ABbEHikKlnPSs]+$|^-[ughpCrtTUDR].+$|^--(?:askpass|background|preserve-env(?:=.*)?|set-home|login|non-interactive|preserve-groups|stdin|shell|(?:user|group|host|prompt|chdir|chroot)=.*)$/,
    privileged: true,
    assigns: true,
  },
  doas: { value: /^-[uC]$/, alone: /^-[nsL]+$/, privileged: true },
  pkexec: { value: /^--user$/, alone: /^--(?:keep-cwd|disable-internal-agent|user=.*)$/, privileged: true },
  env: {
    value: /^-(?:[uC])$|^--(?:unset|chdir)$/,
    alone: /^-[i0v]*$|^-[uC].+$|^--(?:ignore-environment|null|debug|(?:unset|chdir)=.*|(?:block|default|ignore)-signal(?:=.*)?)$/,
    assigns: true,
  },
  nohup: { value: NONE, alone: NONE },
  setsid: { value: NONE, alone: /^-[cfw]+$|^--(?:ctty|fork|wait)$/ },
  nice: { value: /^-n$|^--adjustment$/, alone: /^-n?-?\d+$|^--adjustment=.*$/ },
  ionice: { value: /^-[cn]$|^--class(?:data)?$/, alone: /^-[tcn]\S*$|^--(?:ignore|class(?:data)?=.*)$/ },
  timeout: {
    value: /^-[ks]$|^--(?:kill-after|signal)$/,
    alone: /^-[fpv]+$|^-[ks].+$|^--(?:foreground|preserve-status|verbose|(?:kill-after|signal)=.*)$/,
    operands: 1,
  },
  stdbuf: { value: /^-[ioe]$|^--(?:input|output|error)$/, alone: /^-[ioe].+$|^--(?:input|output|error)=.*$/ },
  chroot: { value: NONE, alone: /^--(?:userspec|groups)=.*$|^--skip-chdir$/, operands: 1 },
  time: { value: /^-[fo]$/, alone: /^-[apqvV]+$/ },
  command: { value: NONE, alone: /^-[pvV]+$/ },
  builtin: { value: NONE, alone: NONE },
  exec: { value: /^-a$/, alone: /^-[cl]+$/ },
  busybox: { value: NONE, alone: NONE },
  toybox: { value: NONE, alone: NONE },
  xargs: {
    value: /^-[adEILnPs]$|^--(?:arg-file|delimiter|max-lines|max-args|max-procs|max-chars|replace|process-slot-var)$/,
    alone:
      /^-[0optrxe]+$|^-[adEeIiLlnPs].+$|^-[il]$|^--(?:null|open-tty|interactive|verbose|no-run-if-empty|exit|show-limits|(?:arg-file|delimiter|eof|replace|max-lines|max-args|max-procs|max-chars)=.*)$/,
  },
};

/** Names that change which program a name means, or what it does before it begins. */
const LOADED =
  /^(?:PATH|IFS|ENV|BASH_ENV|BASH_FUNC_.*|SHELLOPTS|BASHOPTS|PS[0-4]|PROMPT_COMMAND|CDPATH|GLOBIGNORE|BASH_ALIASES|BASH_CMDS|LD_.*|DYLD_.*|NODE_OPTIONS|PYTHON(?:PATH|STARTUP|HOME)|PERL5?(?:LIB|OPT)|RUBY(?:OPT|LIB)|JAVA_TOOL_OPTIONS|GIT_.*|(?:GIT_)?(?:PAGER|EDITOR)|VISUAL|LESSOPEN|BROWSER)$/i;
/** Builtins that give names another meaning, or run what cannot be followed. */
const MEANING = new Set('alias unalias enable hash bind complete compgen compopt fc mapfile readarray let shopt'.split(' '));
const SHELLS = new Set('sh bash dash ash rbash'.split(' '));
/** Programs that run code of their own language, or commands somewhere else. What is in it cannot be seen. */
const CODE = new Set(
  (
    'zsh ksh mksh fish csh tcsh source . python python2 python3 pypy perl ruby node nodejs deno bun php lua luajit tclsh expect awk gawk mawk nawk sed ed ex vi vim nvim emacs ' +
    'ssh scp sftp rsync docker podman nerdctl kubectl oc crictl lxc lxd-exec chroot nsenter unshare systemd-run at batch crontab parallel watch script screen tmux ' +
    'make gmake ninja cmake npm npx pnpm yarn pip pip3 gem cargo go gcc cc java mvn gradle ansible ansible-playbook terraform salt psql mysql sqlite3 mongo mongosh redis-cli ' +
    'gdb strace ltrace dbus-send osascript powershell pwsh cmd flock capsh su runuser sg newgrp start-stop-daemon git tar zip rpm dpkg apt apt-get yum dnf'
  ).split(' '),
);

/** Follows one simple command through everything that only starts another one. */
export function followCommand(words: readonly ShellWord[], sink: CommandSink, inherited = false): void {
  let rest = words;
  let privileged = inherited;
  for (let steps = 0; ; steps++) {
    if (steps > MAX_PREFIXES) throw new Unreadable('too many programs in it start each other');
    const [name, ...args] = rest;
    if (rest.length === 0) return;
    if (name === undefined || name === '') throw new Unreadable('which program it runs is only known when it runs');
    const program = programOf(name);
    const prefix = Object.hasOwn(PREFIXES, program) ? PREFIXES[program] : undefined;
    if (prefix === undefined) {
      run(program, args, privileged, sink);
      return;
    }
    privileged ||= prefix.privileged === true;
    if (program === 'env' && splitString(args, sink, privileged)) return;
    const at = skip(args, prefix, sink);
    if (at >= args.length) {
      // `xargs` alone runs echo, `sudo -l` nothing, `exec` only redirects; sudo -i and -s run a shell.
      sink.add({ program, args, privileged });
      if (privileged && prefix.privileged === true) sink.opaque();
      return;
    }
    // The prefix itself is a program too: a list of allowed programs speaks of it as well.
    sink.add({ program, args: args.slice(0, at), privileged });
    rest = program === 'xargs' ? [...args.slice(at), undefined] : args.slice(at);
  }
}

function run(program: string, args: readonly ShellWord[], privileged: boolean, sink: CommandSink): void {
  if (MEANING.has(program)) throw new Unreadable('it gives names another meaning');
  const lastName = program.slice(program.lastIndexOf('/') + 1);
  if (SHELLS.has(lastName)) shell(program, args, privileged, sink);
  else if (program === 'eval') {
    if (args.some((word) => word === undefined)) throw new Unreadable('it evaluates text that is only known when it runs');
    sink.add({ program, args, privileged });
    sink.script(args.join(' '), privileged);
  } else if (program === 'trap') {
    const [first = '', ...signals] = args;
    if (args.includes(undefined)) throw new Unreadable('it evaluates text that is only known when it runs');
    sink.add({ program, args, privileged });
    if (signals.length > 0 && first !== '-' && first !== '') sink.script(first.startsWith('-') ? (signals[0] ?? '') : first, privileged);
  } else if (program === 'su' || program === 'runuser') {
    sink.add({ program, args, privileged: true });
    sink.opaque();
    const at = args.findIndex((word) => word === '-c' || word === '--command');
    const code = at === -1 ? undefined : args[at + 1];
    if (code !== undefined) sink.script(code, true);
    else if (args.some((word) => word === undefined || /^-[^-]*c.|^--command=/.test(word)))
      throw new Unreadable('which program it runs cannot be said for certain');
  } else if (program === 'find') find(args, privileged, sink);
  else {
    if (['export', 'declare', 'typeset', 'local', 'readonly', 'read', 'getopts', 'unset'].includes(program)) names(args, sink);
    if (program === 'printf' && (args[0] === undefined || args[0].startsWith('-v'))) throw new Unreadable('it sets a name that is only known when it runs');
    if ((program === 'test' || program === '[') && args.some((word) => word === '-v' || word === '-R'))
      throw new Unreadable('it tests a name that may hold code');
    sink.add({ program, args, privileged });
    // python3.11 is python.
    if (CODE.has(lastName) || CODE.has(lastName.replace(/[\d.]+$/, ''))) sink.opaque();
  }
}

/** Builtins that set variables: of which name is either readable, or an error. */
function names(args: readonly ShellWord[], sink: CommandSink): void {
  for (const word of args) {
    const name = word === undefined ? undefined : /^([A-Za-z_]\w*)\+?(?:=.*)?$/s.exec(word)?.[1];
    if (name !== undefined) checkAssignment(name, sink);
    // An array's index is arithmetic, and arithmetic runs substitutions.
    else if (word === undefined || word.includes('[')) throw new Unreadable('it sets a name that is only known when it runs');
  }
}

/** A name that is set for a program, or from then on. */
export function checkAssignment(name: string, sink: Pick<CommandSink, 'assigned'>): void {
  if (LOADED.test(name)) throw new Unreadable('it sets a variable that changes what programs do');
  sink.assigned(name);
}

function skip(args: readonly ShellWord[], prefix: Prefix, sink: CommandSink): number {
  let at = 0;
  for (; at < args.length; at++) {
    const word = args[at];
    if (word === undefined) throw new Unreadable('which program it runs is only known when it runs');
    if (word === '--') {
      at++;
      break;
    }
    if (!word.startsWith('-') || (word === '-' && !prefix.alone.test(word))) break;
    if (prefix.value.test(word)) at++;
    else if (!prefix.alone.test(word)) throw new Unreadable('an option of a program that starts others is not known');
  }
  if (prefix.assigns === true) {
    for (; at < args.length; at++) {
      const word = args[at];
      const name = word === undefined ? undefined : /^([^=]+)=/s.exec(word)?.[1];
      if (name === undefined) break;
      checkAssignment(name, sink);
    }
  }
  return at + (prefix.operands ?? 0);
}

/** `env -S 'a b'` splits a text into words as a small shell of its own would; only plain words are understood. */
function splitString(args: readonly ShellWord[], sink: CommandSink, privileged: boolean): boolean {
  const at = args.findIndex((word) => word !== undefined && /^(?:-[iv0]*S|--split-string)/.test(word));
  if (at === -1) return false;
  const [word = '', next] = [args[at], args[at + 1]];
  const attached = /^(?:-[iv0]*S|--split-string=?)(.*)$/s.exec(word)?.[1] ?? '';
  const text = attached === '' ? next : attached;
  const before = args.slice(0, at);
  if (text === undefined || !/^[\w\s./:=@%+,-]*$/.test(text) || before.length > 0) throw new Unreadable('the text of env -S cannot be read for certain');
  sink.add({ program: 'env', args: [word], privileged });
  followCommand(['env', ...text.split(/\s+/).filter((part) => part !== ''), ...args.slice(attached === '' ? at + 2 : at + 1)], sink, privileged);
  return true;
}

/** `sh -c text` runs the text; a shell without it runs a file or its input, which cannot be seen. */
function shell(program: string, args: readonly ShellWord[], privileged: boolean, sink: CommandSink): void {
  sink.add({ program, args, privileged });
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    if (word === undefined) throw new Unreadable('what the shell in it runs is only known when it runs');
    if (/^-[a-zA-Z]*c[a-zA-Z]*$/.test(word)) {
      // Options may still come between -c and its text.
      let text = at + 1;
      while (args[text]?.startsWith('-') === true || args[text]?.startsWith('+') === true) text++;
      const code = args[text];
      if (code === undefined) throw new Unreadable('what the shell in it runs is only known when it runs');
      sink.script(code, privileged);
      return;
    }
    if (word === '-o' || word === '+o' || word === '-O' || word === '+O' || word === '--rcfile' || word === '--init-file') at++;
    else if (word === '--' || !/^[-+]/.test(word)) break;
  }
  sink.opaque();
}

/** What `find` starts for each file. */
function find(args: readonly ShellWord[], privileged: boolean, sink: CommandSink): void {
  sink.add({ program: 'find', args, privileged });
  for (let at = 0; at < args.length; at++) {
    const word = args[at];
    if (word === undefined || !/^-(?:exec|execdir|ok|okdir)$/.test(word)) continue;
    const end = args.findIndex((each, index) => index > at && (each === ';' || each === '+'));
    if (end === -1) throw new Unreadable('the command of find does not end');
    followCommand(
      args.slice(at + 1, end).map((each) => (each?.includes('{}') === true ? undefined : each)),
      sink,
      privileged,
    );
    at = end;
  }
}

const SYSTEM_FOLDER = /^\/(?:usr\/(?:local\/)?)?s?bin\/([^/]+)$/;

/** `/usr/bin/../bin//rm` is rm; `./rm` and `/tmp/rm` are programs of their own. */
function programOf(word: string): string {
  if (!word.includes('/')) return word;
  const parts: string[] = [];
  for (const part of word.split('/')) {
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part === '..' && word.startsWith('/')) continue;
    else if (part !== '' && part !== '.') parts.push(part);
  }
  const path = (word.startsWith('/') ? '/' : word.startsWith('.') && parts[0] !== '..' ? './' : '') + parts.join('/');
  return SYSTEM_FOLDER.exec(path)?.[1] ?? path;
}
