/** A key that never leaves a KMS: what each kind of KMS implements. Its calls leave this machine, so few of them are made; see KmsWrapper. */
export interface Kms {
  /** Names the key for ever: 1 to 255 bytes. What was encrypted under an older version of it decrypts all the same. */
  readonly kid: string;
  /** Encrypts at most 4 KiB. `context` is short text that is authenticated with it. @throws KeysError `kms_unavailable`, `kms_refused` */
  encrypt(plaintext: Uint8Array, context: string): Promise<Uint8Array>;
  /** @throws KeysError `kms_unavailable`, `kms_refused`, `not_opened` for what was not encrypted so */
  decrypt(ciphertext: Uint8Array, context: string): Promise<Uint8Array>;
}

/** The environment that says who we are to a KMS. */
export type KmsEnvironment = Readonly<Record<string, string | undefined>>;
