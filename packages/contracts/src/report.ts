import { z } from 'zod';
import { digestSchema, idSchema, instantSchema } from './primitives.js';

/** How an approved action ended, as its executor says. */
export const executionResultSchema = z.enum(['succeeded', 'failed']);
export type ExecutionResult = z.infer<typeof executionResultSchema>;

/** `POST /v1/action-requests/{id}/report`: what came of the action, by whoever redeemed its grant; once. */
export const reportBodySchema = z
  .strictObject({
    result: executionResultSchema,
    result_digest: digestSchema.optional().meta({ description: 'SHA-256 of what the action gave back or left behind, by a rule of your own' }),
    detail: z.string().min(1).max(2000).optional().meta({ description: 'A few sentences for people; masked before anybody sees it' }),
  })
  .meta({ id: 'ReportBody' });
export type ReportBody = z.infer<typeof reportBodySchema>;

/** The report in answers. `detail` is masked. */
export const reportViewSchema = z
  .strictObject({
    result: executionResultSchema,
    result_digest: digestSchema.nullable(),
    detail: z.string().nullable(),
    reported_at: instantSchema,
  })
  .meta({ id: 'Report' });
export type ReportView = z.infer<typeof reportViewSchema>;

export const reportAnswerSchema = z.strictObject({ action_request: idSchema('ar'), ...reportViewSchema.shape }).meta({ id: 'ReportAnswer' });
export type ReportAnswer = z.infer<typeof reportAnswerSchema>;
