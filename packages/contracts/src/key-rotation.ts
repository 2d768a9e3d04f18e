import { z } from 'zod';

/** `POST /v1/keys/rotate`. `outcome` signs grants and callbacks, `checkpoint` the ledger's checkpoints. */
export const rotateKeyBodySchema = z.strictObject({ purpose: z.enum(['outcome', 'checkpoint', 'link']) }).meta({ id: 'RotateKeyBody' });
export type RotateKeyBody = z.infer<typeof rotateKeyBodySchema>;

/** Which key signs no more, and which signs from now on, each by its RFC 7638 thumbprint. */
export const rotatedKeySchema = z
  .strictObject({ purpose: z.enum(['outcome', 'checkpoint', 'link']), retired: z.string(), active: z.string() })
  .meta({ id: 'RotatedKey' });
export type RotatedKey = z.infer<typeof rotatedKeySchema>;

/** `GET /ledger/{tenant}/keys`: who may sign for the log, retired keys too: what they signed verifies for ever. */
export const ledgerKeysSchema = z
  .strictObject({
    /** The log's name in its checkpoints. */
    origin: z.string(),
    /** The key that signs now stands last. */
    keys: z.array(z.strictObject({ vkey: z.string(), kid: z.string(), retired: z.boolean() })),
  })
  .meta({ id: 'LedgerKeys' });
export type LedgerKeys = z.infer<typeof ledgerKeysSchema>;
