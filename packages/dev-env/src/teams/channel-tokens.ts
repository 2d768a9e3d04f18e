import { createHmac, generateKeyPairSync, randomUUID, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import { jsonAnswer, type WireAnswer } from '../wire/wire-server.js';

/**
 * The tokens of the Bot Connector: it signs each activity that it sends with a key of its published set, and takes calls
 * with a token that the bot got for its secret. Source: Bot Framework REST API, "Authentication with the Bot Connector API".
 */
export class ChannelTokens {
  private readonly keys = rsaKey('connector');
  private readonly issued = new Set<string>();

  constructor(
    private readonly appId: string,
    private readonly appPassword: string,
    private readonly now: () => number,
  ) {}

  openIdMetadata(url: string): WireAnswer {
    return jsonAnswer(200, {
      issuer: CHANNEL_ISSUER,
      authorization_endpoint: 'https://invalid.botframework.com',
      jwks_uri: `${url}/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
    });
  }

  keySet(): WireAnswer {
    const published = (name: string, kid: string, endorsements: string[]) => ({
      ...rsaKey(name).publicKey.export({ format: 'jwk' }),
      use: 'sig',
      kid,
      x5t: kid,
      endorsements,
    });
    return jsonAnswer(200, { keys: [published('connector', KEY_ID, ['msteams']), published('other channel', OTHER_CHANNEL_KEY_ID, ['skype', 'webchat'])] });
  }

  /** The bot's own token: client credentials at `/{tenant}/oauth2/v2.0/token`. */
  grant(body: string): WireAnswer {
    const form = new URLSearchParams(body);
    if (form.get('grant_type') !== 'client_credentials') return jsonAnswer(400, { error: 'unsupported_grant_type' });
    if (form.get('client_id') !== this.appId || form.get('client_secret') !== this.appPassword) return jsonAnswer(401, { error: 'invalid_client' });
    if (form.get('scope') !== 'https://api.botframework.com/.default') return jsonAnswer(400, { error: 'invalid_scope' });
    const token = `fake.${randomUUID()}`;
    this.issued.add(token);
    return jsonAnswer(200, { token_type: 'Bearer', expires_in: 3_599, access_token: token });
  }

  /** Whether a call of the bot carries a token that was granted. */
  takes(authorization: string | undefined): boolean {
    return authorization !== undefined && authorization.startsWith('Bearer ') && this.issued.has(authorization.slice('Bearer '.length));
  }

  /** All tokens granted so far stop working, as after a change of the secret. */
  revokeAll(): void {
    this.issued.clear();
  }

  /** The Authorization header of an activity, right or forged in the named way; undefined where there is none. */
  async authorization(serviceUrl: string, forgery: TokenForgery | undefined): Promise<string | undefined> {
    if (forgery === 'no_token') return undefined;
    const at = Math.floor(this.now() / 1_000);
    const claims: Record<string, unknown> = {
      iss: CHANNEL_ISSUER,
      aud: this.appId,
      serviceurl: serviceUrl,
      nbf: at - 300,
      exp: at + 3_600,
      ...this.forgedClaims(forgery, at),
    };
    if (forgery === 'no_service_url_claim') delete claims['serviceurl'];
    if (forgery === 'no_expiry') delete claims['exp'];
    if (forgery === 'no_parts') return 'Bearer token';
    if (forgery === 'not_json') return 'Bearer eyJ9.eyJ9.c2ln';
    const head = { typ: 'JWT', kid: forgery === 'unknown_key' ? 'another' : forgery === 'other_endorsement' ? OTHER_CHANNEL_KEY_ID : KEY_ID };
    if (forgery === 'no_algorithm') return `Bearer ${encode({ ...head, alg: 'none' })}.${encode(claims)}.`;
    if (forgery === 'public_key_as_secret') {
      const signed = `${encode({ ...head, alg: 'HS256' })}.${encode(claims)}`;
      const secret = this.keys.publicKey.export({ format: 'pem', type: 'pkcs1' });
      return `Bearer ${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
    }
    const key: KeyObject =
      forgery === 'foreign_key' || forgery === 'unknown_key'
        ? rsaKey('foreign').privateKey
        : forgery === 'other_endorsement'
          ? rsaKey('other channel').privateKey
          : this.keys.privateKey;
    return `${forgery === 'other_scheme' ? 'Basic' : 'Bearer'} ${await new SignJWT(claims).setProtectedHeader({ ...head, alg: 'RS256' }).sign(key)}`;
  }

  private forgedClaims(forgery: TokenForgery | undefined, at: number): Record<string, unknown> {
    switch (forgery) {
      case 'other_audience':
        return { aud: randomUUID() };
      case 'other_issuer':
        return { iss: 'https://evil.example.com' };
      case 'other_service_url_claim':
        return { serviceurl: 'https://smba.example.com/' };
      case 'expired':
        return { nbf: at - 4_200, exp: at - 600 };
      case 'barely_expired':
        return { nbf: at - 3_840, exp: at - 240 };
      case 'not_yet_valid':
        return { nbf: at + 900 };
      case 'emulator_issuer':
        return { iss: 'https://sts.windows.net/d6d49420-f39b-4df7-a1dc-d59a935871db/', ver: '1.0', appid: this.appId };
      case 'emulator_issuer_v2':
        return { iss: 'https://login.microsoftonline.com/d6d49420-f39b-4df7-a1dc-d59a935871db/v2.0', ver: '2.0', azp: this.appId };
      case 'skill':
        // Another bot, with a token of its own tenant, for us: Bot Framework, "Skills", claims of a bot that calls a skill.
        return { iss: `https://sts.windows.net/${randomUUID()}/`, ver: '1.0', appid: randomUUID() };
      case 'two_audiences':
        return { aud: [this.appId, randomUUID()] };
      default:
        return {};
    }
  }
}

/** RSA keys take a while to make, so a process makes each once. */
function rsaKey(name: string): { publicKey: KeyObject; privateKey: KeyObject } {
  const key = rsaKeys.get(name) ?? generateKeyPairSync('rsa', { modulusLength: 2_048 });
  rsaKeys.set(name, key);
  return key;
}
const rsaKeys = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>();

const KEY_ID = 'fake-connector-key';
/** A key that the set has for other channels than Teams. */
const OTHER_CHANNEL_KEY_ID = 'fake-other-channel-key';
const CHANNEL_ISSUER = 'https://api.botframework.com';

/**
 * What is wrong with the token. `public_key_as_secret`: HS256 with the published key as the secret. `foreign_key`: the right
 * key id, another key. `barely_expired`: four minutes ago, which botbuilder tolerates. `emulator_issuer`: an issuer of the
 * emulator, signed by the channel's key. `other_endorsement`: a published key that may not sign for Teams. `skill`: another bot's own
 * token. `no_parts`, `not_json`: no JWT at all. `other_scheme`: a good token that is no bearer token.
 */
export type TokenForgery =
  | 'no_token'
  | 'no_algorithm'
  | 'public_key_as_secret'
  | 'foreign_key'
  | 'unknown_key'
  | 'other_audience'
  | 'other_issuer'
  | 'other_service_url_claim'
  | 'no_service_url_claim'
  | 'expired'
  | 'barely_expired'
  | 'not_yet_valid'
  | 'emulator_issuer'
  | 'emulator_issuer_v2'
  | 'other_endorsement'
  | 'skill'
  | 'two_audiences'
  | 'no_expiry'
  | 'no_parts'
  | 'not_json'
  | 'other_scheme';

function encode(part: unknown): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url');
}
