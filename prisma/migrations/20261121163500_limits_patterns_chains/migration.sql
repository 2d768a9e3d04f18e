-- Requests of one caller that name one chain: the highest class of its earlier actions counts for each.
ALTER TABLE "action_requests" ADD COLUMN "chain_key" TEXT;
CREATE INDEX "action_requests_chain" ON "action_requests" ("tenant", "chain_key") WHERE "chain_key" IS NOT NULL;

-- ================================================================ what must hold while a request is opened

-- The rules of `limits` ([{rule, key, count, per_seconds}]) that are used up. The lock of each key is kept to the end of the transaction, and is
-- taken in the order of keys, so that requests which count by the same keys come one after the other, and none waits for another in a circle.
CREATE FUNCTION "countersign_limits_used"(of_tenant text, limits json) RETURNS text[] LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  one record;
  used_up text[] := '{}';
BEGIN
  FOR one IN SELECT l.rule, l.key, l.count, l.per_seconds FROM json_to_recordset(limits) AS l(rule text, key text, count int, per_seconds float8) ORDER BY l.key, l.rule LOOP
    PERFORM pg_advisory_xact_lock(1131631721, hashtext(of_tenant || ' ' || one.key));
    DELETE FROM limit_uses WHERE tenant = of_tenant AND key = one.key AND at <= clock_timestamp() - make_interval(secs => one.per_seconds);
    IF (SELECT count(*) FROM limit_uses WHERE tenant = of_tenant AND key = one.key) >= one.count THEN
      used_up := used_up || one.rule;
    END IF;
  END LOOP;
  RETURN used_up;
END
$$;

-- Whether a pattern may be used once more, and was used so often until now; its row stays locked until the transaction ends.
CREATE FUNCTION "countersign_pattern_live"(of_tenant text, of_id text, of_used int) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM 1 FROM patterns WHERE tenant = of_tenant AND id = of_id FOR UPDATE;
  RETURN EXISTS (SELECT FROM patterns WHERE tenant = of_tenant AND id = of_id AND used = of_used AND used < uses AND revoked_at IS NULL AND expires_at > clock_timestamp());
END
$$;
