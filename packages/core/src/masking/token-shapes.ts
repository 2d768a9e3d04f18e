import type { Finding } from './finding.js';

/**
 * A credential that shows by its own shape. `marks` are literals (lower-case) of which one must be in the text before the pattern is tried.
 * The pattern's first group, where there is one, is the secret; else the whole match is.
 *
 * Every pattern is linear: it begins with a literal, its runs are of one class and cannot fail behind a run that another start would read
 * again (a boundary stands before it, or the run's class leaves out the pattern's own literal).
 */
export interface TokenShape {
  readonly detector: string;
  readonly marks: readonly string[];
  readonly pattern: RegExp;
}

export const TOKEN_SHAPES: readonly TokenShape[] = [
  { detector: 'aws-access-key', marks: ['akia', 'asia', 'abia', 'acca'], pattern: /(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16,}/g },
  { detector: 'github-token', marks: ['ghp_', 'gho_', 'ghu_', 'ghs_', 'ghr_'], pattern: /gh[pousr]_[A-Za-z0-9]{20,}/g },
  { detector: 'github-token', marks: ['github_pat_'], pattern: /github_pat_[A-Za-z0-9_]{20,}/g },
  { detector: 'gitlab-token', marks: ['gl'], pattern: /gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{16,}/g },
  { detector: 'slack-token', marks: ['xox', 'xapp-'], pattern: /(?:xox[a-z]|xapp|xoxe\.xox[bp])-[A-Za-z0-9-]{10,}/g },
  { detector: 'slack-webhook', marks: ['hooks.slack.com'], pattern: /hooks\.slack\.com\/(?:services|workflows|triggers)\/([A-Za-z0-9_/-]{16,})/g },
  { detector: 'stripe-key', marks: ['k_live_', 'k_test_'], pattern: /[sr]k_(?:live|test)_[A-Za-z0-9]{10,}/g },
  { detector: 'webhook-secret', marks: ['whsec_'], pattern: /whsec_[A-Za-z0-9+/=_-]{16,}/g },
  { detector: 'countersign-key', marks: ['cs_'], pattern: /(?<![A-Za-z0-9])cs_[A-Za-z0-9_-]{16,}/g },
  { detector: 'google-key', marks: ['aiza'], pattern: /AIza[A-Za-z0-9_-]{30,}/g },
  { detector: 'google-token', marks: ['ya29.'], pattern: /ya29\.[A-Za-z0-9_.-]{16,}/g },
  { detector: 'google-client-secret', marks: ['gocspx-'], pattern: /GOCSPX-[A-Za-z0-9_-]{20,}/g },
  { detector: 'google-refresh-token', marks: ['1//0'], pattern: /(?<![A-Za-z0-9])1\/\/0[A-Za-z0-9_-]{20,}/g },
  { detector: 'npm-token', marks: ['npm_'], pattern: /npm_[A-Za-z0-9]{30,}/g },
  { detector: 'pypi-token', marks: ['pypi-'], pattern: /pypi-[A-Za-z0-9_-]{40,}/g },
  { detector: 'anthropic-key', marks: ['sk-ant-'], pattern: /sk-ant-[A-Za-z0-9_-]{16,}/g },
  { detector: 'openai-key', marks: ['sk-'], pattern: /(?<![A-Za-z0-9])sk-(?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{20,}/g },
  { detector: 'sendgrid-key', marks: ['sg.'], pattern: /SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,}/g },
  { detector: 'twilio-key', marks: ['sk'], pattern: /(?<![A-Za-z0-9])SK[0-9a-f]{32}(?![0-9a-f])/g },
  { detector: 'hugging-face-token', marks: ['hf_'], pattern: /(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}/g },
  { detector: 'digitalocean-token', marks: ['do'], pattern: /do[opr]_v1_[0-9a-f]{32,}/g },
  { detector: 'shopify-token', marks: ['shp'], pattern: /shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32,}/g },
  { detector: 'square-token', marks: ['sq0'], pattern: /sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{20,}/g },
  { detector: 'vault-token', marks: ['hv'], pattern: /(?<![A-Za-z0-9])hv[bsr]\.[A-Za-z0-9_-]{20,}/g },
  { detector: 'databricks-token', marks: ['dapi'], pattern: /dapi[0-9a-f]{32,}/g },
  { detector: 'grafana-token', marks: ['glsa_', 'glc_'], pattern: /gl(?:sa|c)_[A-Za-z0-9+/=_-]{24,}/g },
  { detector: 'atlassian-token', marks: ['atatt3', 'atctt3'], pattern: /AT[AC]TT3[A-Za-z0-9_=-]{24,}/g },
  { detector: 'terraform-token', marks: ['.atlasv1.'], pattern: /(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{24,}/g },
  { detector: 'rubygems-key', marks: ['rubygems_'], pattern: /rubygems_[0-9a-f]{32,}/g },
  { detector: 'telegram-token', marks: [':aa'], pattern: /(?<!\d)\d{8,10}:AA[A-Za-z0-9_-]{30,}/g },
  { detector: 'mailgun-key', marks: ['key-'], pattern: /(?<![A-Za-z0-9])key-[0-9a-f]{32}/g },
  { detector: 'age-key', marks: ['age-secret-key-1'], pattern: /AGE-SECRET-KEY-1[A-Z0-9]{40,}/gi },
  // A JWT or JWE in compact form: two to five parts, the first of which is a JSON object.
  { detector: 'jwt', marks: ['eyj'], pattern: /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}/g },
  { detector: 'bearer', marks: ['bearer'], pattern: /\bbearer[ \t]{1,8}(?=[A-Za-z._~+/=-]{0,256}\d)([A-Za-z0-9._~+/=-]{12,})/gi },
  { detector: 'basic-credentials', marks: ['basic'], pattern: /\b(?:[Bb]asic|BASIC)[ \t]{1,8}(?=[A-Za-z/+]{0,128}[0-9=])([A-Za-z0-9+/]{8,}={0,2})/g },
  { detector: 'url-password', marks: ['://'], pattern: /:\/\/[^\s/?#"'<>:@]{0,256}:([^\s/?#"'<>]{1,2048})@/g },
  { detector: 'url-token', marks: ['://'], pattern: /:\/\/(?=[A-Za-z_.-]{0,64}\d)([A-Za-z0-9_.-]{16,256})@/g },
  { detector: 'signed-url', marks: ['sig'], pattern: /[?&](?:sig|signature|x-amz-signature|x-goog-signature)=([A-Za-z0-9%+/=_-]{20,})/gi },
  { detector: 'sql-password', marks: ['identified', 'password'], pattern: /\b(?:identified[ \t\r\n]{1,8}by|password)[ \t\r\n]{1,8}[eE]?'([^']{1,1024})/gi },
  { detector: 'curl-user', marks: ['-u', '--user'], pattern: /(?<!\S)(?:-u|--user|--proxy-user)[ =]{0,4}["']?[^\s:"']{1,128}:([^\s"']{1,512})/g },
];

/** Credentials that show by their shape alone, private keys included. */
export function* findTokens(text: string): Generator<Finding> {
  const lower = text.toLowerCase();
  for (const { detector, marks, pattern } of TOKEN_SHAPES) {
    if (!marks.some((mark) => lower.includes(mark))) continue;
    for (const match of text.matchAll(pattern)) {
      const secret = match[1] ?? match[0];
      if (isReference(secret)) continue;
      const end = match[1] === undefined ? match.index + match[0].length : match.index + match[0].lastIndexOf(secret) + secret.length;
      yield { start: end - secret.length, end, class: 'secret', detector };
    }
  }
  yield* findPrivateKeys(text);
}

/** PEM private keys (RFC 7468) and OpenPGP ones; one without an end is hidden to the end of the text. */
function* findPrivateKeys(text: string): Generator<Finding> {
  const begin = /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----/g;
  for (let match = begin.exec(text); match !== null; match = begin.exec(text)) {
    const mark = text.indexOf('-----END', begin.lastIndex);
    const close = mark < 0 ? -1 : text.indexOf('-----', mark + 8);
    const end = close < 0 ? text.length : close + 5;
    yield { start: match.index, end, class: 'secret', detector: 'private-key' };
    begin.lastIndex = end;
  }
}

/** Names of secrets in place of secrets, and what this masker wrote: showing them says what a command does and gives nothing away. */
export function isReference(value: string): boolean {
  return /^(?:\$\{\{?[\w .]{1,128}\}?\}|\$[A-Z_][A-Z0-9_]{2,64}|\{\{[\w ./]{1,128}\}\}|%[A-Z_][A-Z0-9_]{1,64}%|\*{3,64}|\[(?:secret|field|email|card|unscanned):[^\]\s]{1,40}\])$/.test(
    value,
  );
}
