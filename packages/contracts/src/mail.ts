import { z } from 'zod';
import { idSchema } from './primitives.js';

/** `POST /v1/mail-links/open`: what stands behind `#` in the link of a mail. */
export const openMailBodySchema = z.strictObject({ token: z.string().min(1).max(200) }).meta({ id: 'OpenMailBody' });

/** What the link leads to. It decides nothing. */
export const openedMailSchema = z
  .strictObject({
    action_request: idSchema('ar'),
    /** What a decision of this session names as `mail`. */
    mail: z.uuid(),
  })
  .meta({ id: 'OpenedMail' });
export type OpenedMailAnswer = z.infer<typeof openedMailSchema>;
