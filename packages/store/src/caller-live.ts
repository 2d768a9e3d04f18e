/*
 * Whether a caller may act now, as conditions of the very statement that acts: a key that is revoked before that statement's snapshot
 * opens, approves and redeems nothing, whatever anybody looked up before (I2, I9).
 */

/** A key that is neither revoked nor over, of an owner who is active. Whom the directory does not know owns nothing. */
export function callerLive(tenant: string, id: string): string {
  return `EXISTS (SELECT FROM api_keys k JOIN directory_people o ON o.tenant = k.tenant AND o.id = k.owner AND o.active
    WHERE k.tenant = ${tenant} AND k.id = ${id} AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp()))`;
}

/** Whether a request's requester is a key that was revoked: what it asked for is void. Requesters that are no keys are not revoked so. */
export function requesterRevoked(tenant: string, id: string): string {
  return `EXISTS (SELECT FROM api_keys k WHERE k.tenant = ${tenant} AND k.id = ${id} AND k.revoked_at IS NOT NULL)`;
}
