/* How statements say that a freeze is about a request: `f` of freezes, `r` of action_requests. */

/** Who acts and on whose behalf: by name, and by the entry of the directory where it knows them. */
export const ACTORS = `ARRAY[r.actor_id, r.document->'view'->'actor'->'on_behalf_of'->>'id']
    || ARRAY(SELECT l->>'person_id' FROM json_array_elements(r.document->'chain') AS l WHERE l->>'role' IN ('actor', 'on_behalf_of'))`;
export const CALLERS = 'r.requester_id';

/** Whether the freeze `f` is about the request `r`, whether or not it is in force. */
export const FREEZE_COVERS = `countersign_freeze_covers(f, r.action, ${ACTORS}, ARRAY[${CALLERS}])`;
const FREEZE_HOLDS = `countersign_freezes(f, r.action, ${ACTORS}, ARRAY[${CALLERS}])`;

/** Requests that may still come to run. */
export const MAY_RUN = `(r.status = 'pending' OR (r.status = 'approved' AND r.redeemed_at IS NULL))`;

/** The freezes that hold the request `r`, for who looks at it. */
export const FREEZES_COLUMN = `(SELECT json_agg(json_build_object('id', f.id, 'reason', f.reason, 'placed_at', f.placed_at) ORDER BY f.placed_at, f.id)
    FROM freezes f WHERE ${MAY_RUN} AND f.tenant = r.tenant AND f.lifted_at IS NULL AND ${FREEZE_HOLDS}) AS freezes`;
