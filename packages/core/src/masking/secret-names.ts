/**
 * Whether the value under this name is a secret by its name: `password`, `dbPassword`, `X-Api-Key`, `client_secret`, `refresh_token`,
 * `aws_secret_access_key`, `Passwort`, `пароль`. Names about secrets are not secrets: `token_count`, `max_tokens`, `secret_name`,
 * `password_policy`, `access_key_id`. The last word says what the value is.
 */
export function isSecretName(name: string): boolean {
  const words = wordsOf(name);
  const last = words.at(-1);
  if (last === undefined) return false;
  if (words.length > 1 && ABOUT.has(last)) return false;
  if (last === 'tokens' && words.some((word) => AMOUNT.has(word))) return false;
  const joined = words.join('');
  if (WHOLE_NAMES.has(joined)) return true;
  return words.some((word, index) => SECRET_WORDS.has(word) || (KEY_WORDS.has(word) && KINDS_OF_KEY.has(words[index - 1] ?? '')) || isSecretCompound(word));
}

/** Whether a number or a truth value under a secret name is itself no secret: `tokens: 4096`, `reset_password: true`. */
export function isPlainlyNoSecret(name: string, value: unknown): boolean {
  if (value === null || typeof value === 'boolean' || value === '') return true;
  return typeof value === 'number' && wordsOf(name).at(-1) === 'tokens';
}

/** The lower-case words of a name in camel, snake, kebab or any other case, without accents and trailing digits. */
export function wordsOf(name: string): string[] {
  return name
    .normalize('NFKD')
    .replace(/[\p{M}\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, '')
    .replace(/([\p{Ll}\p{N}])(?=\p{Lu})/gu, '$1 ')
    .replace(/(\p{Lu})(?=\p{Lu}\p{Ll})/gu, '$1 ')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .map(withoutDigits)
    .filter((word) => word !== '');
}

function withoutDigits(word: string): string {
  let end = word.length;
  while (end > 0 && word.charCodeAt(end - 1) >= 0x30 && word.charCodeAt(end - 1) <= 0x39) end--;
  return word.slice(0, end);
}

/** `dbpassword`, `githubtoken`, `apikeys`: words that were written together. */
function isSecretCompound(word: string): boolean {
  for (const stem of STEMS) {
    const at = word.indexOf(stem);
    if (at < 0) continue;
    const rest = word.slice(at + stem.length);
    if (rest === '' || rest === 's' || !ABOUT.has(rest)) return true;
  }
  return COMPOUND_ENDS.some((end) => word.length > end.length && word.endsWith(end) && !NOT_COMPOUNDS.has(word));
}

const SECRET_WORDS = new Set([
  ...[
    'password',
    'passwords',
    'passwd',
    'passphrase',
    'passcode',
    'pwd',
    'pswd',
    'secret',
    'secrets',
    'token',
    'tokens',
    'credential',
    'credentials',
    'creds',
    'cred',
  ],
  ...['authorization', 'cookie', 'cookies', 'apikey', 'apikeys', 'otp', 'totp', 'cvv', 'cvc', 'csrf', 'xsrf', 'jwt', 'bearer', 'keytab', 'htpasswd', 'pgpass'],
  // German, Spanish, French, Portuguese, Italian, Polish, Dutch, Swedish, Danish, Norwegian, Finnish, Turkish, Czech
  ...[
    'passwort',
    'kennwort',
    'geheimnis',
    'contrasena',
    'contrasenya',
    'motdepasse',
    'senha',
    'parola',
    'haslo',
    'hasło',
    'wachtwoord',
    'losenord',
    'adgangskode',
    'passord',
    'salasana',
    'sifre',
    'heslo',
  ],
  // Russian, Ukrainian, Chinese, Japanese, Korean, Arabic, Hebrew, Hindi (as NFKD writes them without marks)
  ...[
    'пароль',
    'пароли',
    'секрет',
    'токен',
    '密码',
    '密碼',
    '口令',
    '密钥',
    '金鑰',
    '令牌',
    'パスワート',
    'パスワード',
    '秘密鍵',
    '비밀번호',
    '암호',
    'كلمةالمرور',
    'סיסמה',
    'पासवर्ड',
  ].map((word) => word.normalize('NFKD').replace(/\p{M}/gu, '')),
]);

const WHOLE_NAMES = new Set([
  'motdepasse',
  'pincode',
  'pinnumber',
  'xauth',
  'sessionid',
  'sessid',
  'phpsessid',
  'jsessionid',
  'connectsid',
  'xamzsecuritytoken',
  'palabradepaso',
  'clavesecreta',
]);

const KEY_WORDS = new Set(['key', 'keys']);
const KINDS_OF_KEY = new Set([
  'api',
  'access',
  'secret',
  'private',
  'priv',
  'signing',
  'encryption',
  'decryption',
  'master',
  'account',
  'shared',
  'auth',
  'session',
  'subscription',
  'license',
  'hmac',
  'symmetric',
  'functions',
  'root',
]);

const STEMS = [
  'password',
  'passwd',
  'passphrase',
  'apikey',
  'secretkey',
  'accesskey',
  'privatekey',
  'masterkey',
  'signingkey',
  'encryptionkey',
  'clientsecret',
  'sharedsecret',
  'accesstoken',
  'authtoken',
  'refreshtoken',
  'idtoken',
  'bearertoken',
  'sessiontoken',
  'credential',
];
const COMPOUND_ENDS = ['token', 'secret', 'passwort', 'pwd'];
const NOT_COMPOUNDS = new Set(['nonsecret', 'notsecret', 'detoken', 'subtoken']);

/** Last words that turn a name into one about the secret: where it is, how big, what kind, what to do with it. */
const ABOUT = new Set([
  ...[
    'count',
    'counts',
    'counter',
    'type',
    'types',
    'name',
    'names',
    'id',
    'ids',
    'url',
    'urls',
    'uri',
    'uris',
    'endpoint',
    'host',
    'path',
    'paths',
    'file',
    'filename',
    'dir',
    'directory',
    'prefix',
    'suffix',
  ],
  ...[
    'policy',
    'policies',
    'length',
    'len',
    'size',
    'sizes',
    'bytes',
    'ttl',
    'expiry',
    'expires',
    'expiration',
    'expired',
    'lifetime',
    'age',
    'at',
    'date',
    'time',
    'timeout',
    'second',
    'seconds',
    'minute',
    'hour',
    'day',
    'days',
  ],
  ...[
    'ref',
    'refs',
    'reference',
    'arn',
    'version',
    'versions',
    'enabled',
    'disabled',
    'required',
    'optional',
    'rotation',
    'limit',
    'limits',
    'budget',
    'usage',
    'used',
    'min',
    'max',
    'total',
    'rate',
    'price',
    'cost',
  ],
  ...[
    'status',
    'state',
    'provider',
    'manager',
    'store',
    'engine',
    'backend',
    'scope',
    'scopes',
    'algorithm',
    'alg',
    'format',
    'kind',
    'label',
    'labels',
    'field',
    'column',
    'index',
    'position',
    'bucket',
  ],
  ...[
    'prompt',
    'reset',
    'strength',
    'attempts',
    'tries',
    'method',
    'mode',
    'source',
    'env',
    'var',
    'issuer',
    'audience',
    'owner',
    'description',
    'title',
    'consent',
    'banner',
    'domain',
    'request',
    'requests',
    'review',
    'exchange',
    'stdin',
    'santa',
  ],
]);

/** Words that make `tokens` an amount of text. */
const AMOUNT = new Set([
  'max',
  'min',
  'prompt',
  'completion',
  'total',
  'input',
  'output',
  'cached',
  'num',
  'number',
  'n',
  'used',
  'remaining',
  'reasoning',
  'audio',
  'text',
  'image',
  'context',
  'budget',
  'limit',
  'thinking',
  'new',
  'stop',
  'special',
]);
