/** Where in which git repository a policy lies. */
export interface GitPolicy {
  /** The address as git takes it, with its scheme. */
  readonly url: string;
  /** A branch, a tag or a full commit id. */
  readonly ref: string;
  /** A file or folder in the repository; empty: all of it. */
  readonly path: string;
}

/** Schemes whose transport is git's own or ssh's; `ext::` and helpers by other names would run commands. */
const SCHEME = /^git\+(https?|ssh|file):\/\//i;
/** git-check-ref-format(1), and nothing that a command could take for an option. */
const REF = /^(?!-)(?!.*(?:\.\.|@\{|\/\/|\.lock(?:\/|$)|[/.]$))[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$/;
const PATH = /^(?![-/])(?!.*(?:^|\/)\.\.?(?:\/|$))[A-Za-z0-9._/ -]{0,500}$/;

/** Reads `git+https://host/repository.git#ref:path`; `ref` is `main` where it is left out. Null for anything that is not that. */
export function gitPolicyOf(text: string): GitPolicy | null {
  if (!SCHEME.test(text)) return null;
  const [address = '', fragment = '', ...more] = text.slice('git+'.length).split('#');
  if (more.length > 0 || !URL.canParse(address) || /[\s\0]/.test(address)) return null;
  const url = new URL(address);
  // A host that begins with a dash would be an option of ssh.
  if (url.hostname.startsWith('-') || url.username.startsWith('-') || url.search !== '') return null;
  const colon = fragment.indexOf(':');
  const ref = (colon < 0 ? fragment : fragment.slice(0, colon)) || 'main';
  const path = colon < 0 ? '' : fragment.slice(colon + 1);
  return REF.test(ref) && PATH.test(path) ? { url: address, ref, path } : null;
}
