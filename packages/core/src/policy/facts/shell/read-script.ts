import { forEachChild, parse } from 'unbash';
import { Unreadable } from '../inputs.js';
import { checkAssignment, followCommand, type CommandSink, type ShellCommand, type ShellWord } from './commands.js';

const MAX_SCRIPTS = 64;
const MAX_COMMANDS = 500;

type Script = ReturnType<typeof parse>;
/** A node of the parser's tree; which kinds there are is its business, and one that is not known here is an error. */
type Node = Parameters<typeof forEachChild>[0];
type Word = Extract<Node, { type: 'Word' }>;
type Part = NonNullable<Word['parts']>[number];

/** What the readers of a command line collect. */
export interface ShellFindings {
  readonly commands: ShellCommand[];
  readonly assigned: Set<string>;
  readonly written: Set<string>;
  readonly read: Set<string>;
  opaque: boolean;
  pipeline: boolean;
  background: boolean;
  substitutions: boolean;
  dynamic: boolean;
}

export function noShellFindings(): ShellFindings {
  return {
    commands: [],
    assigned: new Set(),
    written: new Set(),
    read: new Set(),
    opaque: false,
    pipeline: false,
    background: false,
    substitutions: false,
    dynamic: false,
  };
}

/** Reads a command line as bash does, and everything in it that is a command line again. Throws Unreadable. */
export function readScript(text: string, found: ShellFindings): void {
  new ScriptReader(found).read(text, false);
}

/** Reads the words of one command that no shell looks at. */
export function readWords(words: readonly string[], found: ShellFindings): void {
  const reader = new ScriptReader(found);
  reader.follow(words, false);
}

class ScriptReader {
  readonly #found: ShellFindings;
  #scripts = 0;
  #privileged = false;

  constructor(found: ShellFindings) {
    this.#found = found;
  }

  read(text: string, privileged: boolean): void {
    if (++this.#scripts > MAX_SCRIPTS) throw new Unreadable('too many command lines are in it');
    // Blanks of other alphabets look like gaps and are parts of words; a carriage return is one too.
    if (/[^\S \t\n]/.test(text)) throw new Unreadable('there are blanks in it that the shell does not read as blanks');
    const before = this.#privileged;
    this.#privileged = privileged;
    this.#script(parse(text));
    this.#privileged = before;
  }

  follow(words: readonly ShellWord[], privileged: boolean): void {
    const found = this.#found;
    const sink: CommandSink = {
      add: (command) => {
        if (found.commands.push(command) > MAX_COMMANDS) throw new Unreadable('there are too many commands in it');
        if (command.args.includes(undefined)) found.dynamic = true;
      },
      opaque: () => void (found.opaque = true),
      script: (text, as) => this.read(text, as),
      assigned: (name) => void found.assigned.add(name),
    };
    followCommand(words, sink, privileged);
  }

  #script(script: Script | undefined): void {
    if (script === undefined || (script.errors?.length ?? 0) > 0) throw new Unreadable('it is no command line of bash');
    for (const statement of script.commands) this.#node(statement);
  }

  #children(node: Node): void {
    forEachChild(node, (child) => this.#node(child));
  }

  #node(node: Node): void {
    switch (node.type) {
      case 'Command':
        this.#command(node);
        return;
      case 'Statement':
        if (node.background === true) this.#found.background = true;
        break;
      case 'Pipeline':
        if (node.commands.length > 1) this.#found.pipeline = true;
        break;
      case 'Word':
        this.#word(node);
        return;
      case 'Assignment':
        checkAssignment(node.name, { assigned: (name) => void this.#found.assigned.add(name) });
        if (node.index !== undefined && !/^\d+$/.test(node.index.text)) throw new Unreadable('arithmetic in it may run what its variables hold');
        break;
      case 'For':
      case 'Select':
        this.#set(node.name.value);
        break;
      case 'Redirect':
        this.#redirect(node);
        return;
      case 'TestBinary':
        if (/^-(?:eq|ne|lt|le|gt|ge)$/.test(node.operator) && ![node.left, node.right].every(({ text }) => /^-?\d+$/.test(text)))
          throw new Unreadable('arithmetic in it may run what its variables hold');
        break;
      case 'TestUnary':
        if (node.operator === '-v' || node.operator === '-R') throw new Unreadable('it tests a name that may hold code');
        break;
      case 'ArithmeticWord':
        if (!/^\d+$/.test(node.value)) throw new Unreadable('arithmetic in it may run what its variables hold');
        return;
      case 'CommandExpansion':
      case 'ProcessSubstitution':
      case 'ArithmeticCommandExpansion':
        this.#found.substitutions = true;
        this.#script(node.script);
        return;
      case 'ArithmeticExpansion':
      case 'ArithmeticCommand':
        // Without a tree nothing is known of it.
        if (node.expression === undefined) throw new Unreadable('arithmetic in it cannot be read for certain');
        break;
      case 'ParameterExpansion':
        if (node.prefix === '!' || node.operation?.type === 'Transform' || node.operation?.type === 'Unknown' || node.operation?.type === 'Slice')
          throw new Unreadable('an expansion in it may run what its variables hold');
        if (node.index !== undefined && !/^(?:\d+|[@*])$/.test(node.index.text)) throw new Unreadable('arithmetic in it may run what its variables hold');
        if (node.operation?.type === 'Default' && node.operation.operator.endsWith('=')) this.#set(node.parameter);
        break;
      case 'Script':
        this.#script(node);
        return;
      case 'Function':
      case 'Coproc':
      case 'AndOr':
      case 'If':
      case 'Elif':
      case 'While':
      case 'ArithmeticFor':
      case 'Subshell':
      case 'BraceGroup':
      case 'CompoundList':
      case 'Case':
      case 'CaseItem':
      case 'Redirected':
      case 'TestCommand':
      case 'TestLogical':
      case 'TestNot':
      case 'TestGroup':
      case 'ArrayValue':
      case 'HereString':
      case 'HereDoc':
      case 'HereDocBody':
      case 'HereDocDelimiter':
      case 'FileDescriptor':
      case 'FileDescriptorVariable':
      case 'ArithmeticBinary':
      case 'ArithmeticUnary':
      case 'ArithmeticTernary':
      case 'ArithmeticGroup':
      case 'Literal':
      case 'Glob':
      case 'SingleQuoted':
      case 'DoubleQuoted':
      case 'AnsiCQuoted':
      case 'LocaleString':
      case 'SimpleExpansion':
      case 'ExtendedGlob':
      case 'BraceExpansion':
      case 'Default':
      case 'Remove':
      case 'Replace':
      case 'CaseModification':
      case 'Names':
      case 'Slice':
      case 'Transform':
      case 'Unknown':
      case 'Time':
      case 'Negation':
        break;
      default:
        throw new Unreadable('there is something in it that is not understood');
    }
    this.#children(node);
  }

  #set(name: string): void {
    checkAssignment(name, { assigned: (each) => void this.#found.assigned.add(each) });
  }

  #command(node: Extract<Node, { type: 'Command' }>): void {
    for (const part of node.prefix) this.#node(part);
    for (const part of node.suffix) this.#node(part);
    if (node.name === undefined) return;
    this.#node(node.name);
    const words = [node.name, ...node.args].map((word): ShellWord => (word.type === 'Word' ? textOf(word) : assignmentText(word)));
    this.follow(words, this.#privileged);
  }

  #word(node: Word): void {
    if (textOf(node) === undefined) this.#found.dynamic = true;
    this.#children(node);
  }

  #redirect(node: Extract<Node, { type: 'Redirect' }>): void {
    const { target, operator } = node;
    this.#children(node);
    if (target === undefined) throw new Unreadable('a redirection in it leads nowhere');
    const file = textOf(target);
    if (operator === '<&' || (operator === '>&' && file !== undefined && /^(?:\d+-?|-)$/.test(file))) return;
    if (file === undefined) throw new Unreadable('which file it reads or writes is only known when it runs');
    if (operator !== '<') this.#found.written.add(file);
    if (operator === '<' || operator === '<>') this.#found.read.add(file);
  }
}

/** A word's text after quotes are taken off, or undefined where something is put in when it runs. */
function textOf(word: Word): ShellWord {
  // A shell's texts end at U+0000.
  if (word.value.includes('\0')) throw new Unreadable('a word in it has characters that stand for nothing');
  if (word.parts === undefined) {
    // A backslash before the end of the text, `~` and unread patterns are left to the shell that runs it.
    return /^~|[*?[\]{}$`]/.test(word.text) ? undefined : word.value;
  }
  return word.parts.every(isFixed) && !word.text.startsWith('~') ? word.value : undefined;
}

function isFixed(part: Part): boolean {
  switch (part.type) {
    case 'SingleQuoted':
    case 'AnsiCQuoted':
      return true;
    case 'Literal':
      return true;
    case 'DoubleQuoted':
      return part.parts.every(({ type }) => type === 'Literal');
    default:
      return false;
  }
}

function assignmentText(word: Extract<Node, { type: 'Assignment' }>): ShellWord {
  if (word.value.type !== 'Word' || word.index !== undefined) return undefined;
  const value = textOf(word.value);
  return value === undefined ? undefined : `${word.name}${word.append === true ? '+' : ''}=${value}`;
}
