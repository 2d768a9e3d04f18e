import type { ReviewStore } from '@countersign/core/ports';
import type { Database } from './database.js';
import { reviewOf, type ReviewRow } from './follow-up-rows.js';

/** Reviews of approvals by break-glass, apart from their requests; they are written with those (commits.ts). */
export function reviewStore(database: Database): ReviewStore {
  return {
    list: async (tenant, { open, groups, limit }) =>
      (
        await database.run<ReviewRow>({
          name: 'reviews',
          text: `SELECT id, request_id, groups, opened_at, due_at, finding, note, reviewed_by, reviewed_at FROM reviews
            WHERE tenant = $1 AND (NOT $2::bool OR finding IS NULL) AND ($3::text[] IS NULL OR groups && $3::text[]) ORDER BY opened_at DESC, id DESC LIMIT $4`,
          values: [tenant, open, groups, limit],
        })
      ).map(reviewOf),
    get: async (tenant, id) => {
      const [row] = await database.run<ReviewRow>({
        name: 'review',
        text: 'SELECT id, request_id, groups, opened_at, due_at, finding, note, reviewed_by, reviewed_at FROM reviews WHERE tenant = $1 AND id = $2',
        values: [tenant, id],
      });
      return row === undefined ? null : reviewOf(row);
    },
  };
}
