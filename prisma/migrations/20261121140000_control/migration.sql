-- What controls a running installation: freezes, which policy is in force and where it came from, changes of the configuration that
-- wait for a second person, approved patterns, and counted limits.

CREATE TABLE "freezes" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "scope" JSON NOT NULL,
    -- The scope, ready to be compared: null matches everything.
    "actor_fold" TEXT,
    -- Where the actor is a person: the entries of the directory that are this human.
    "actor_people" TEXT[] NOT NULL DEFAULT '{}',
    "caller" TEXT,
    "action_like" TEXT,
    "reason" TEXT NOT NULL,
    "placed_by" JSON NOT NULL,
    "placed_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "lifted_at" TIMESTAMPTZ(3),
    -- Null where its time was over.
    "lifted_by" JSON,
    "lift_reason" TEXT,

    CONSTRAINT "freezes_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "freezes_tenant_placed_at_id_idx" ON "freezes"("tenant", "placed_at" DESC, "id" DESC);
CREATE INDEX "freezes_open" ON "freezes" ("tenant") WHERE "lifted_at" IS NULL;

ALTER TABLE "policies" ADD COLUMN "stored_by" TEXT;

CREATE TABLE "policy_activations" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "previous" TEXT,
    "activated_at" TIMESTAMPTZ(3) NOT NULL,
    "activated_by" TEXT NOT NULL,
    -- {kind: api | rollback | file | git | quickstart, ...}: where it came from.
    "source" JSON NOT NULL,

    CONSTRAINT "policy_activations_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "policy_activations_tenant_activated_at_id_idx" ON "policy_activations"("tenant", "activated_at" DESC, "id" DESC);

-- The last look at each source of policy: what it gave, or why it gave nothing.
CREATE TABLE "policy_sources" (
    "tenant" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "looked_at" TIMESTAMPTZ(3) NOT NULL,
    "digest" TEXT,
    "revision" TEXT,
    "failed_at" TIMESTAMPTZ(3),
    "problems" JSON,

    CONSTRAINT "policy_sources_pkey" PRIMARY KEY ("tenant","source")
);

CREATE TABLE "config_changes" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "sealed_payload" BYTEA NOT NULL,
    "payload_digest" TEXT NOT NULL,
    -- What people see of it, masked.
    "summary" JSON NOT NULL,
    "proposed_by" JSON NOT NULL,
    "proposed_at" TIMESTAMPTZ(3) NOT NULL,
    "request_id" TEXT NOT NULL,
    -- proposed | applying | applied | denied | expired | withdrawn | failed
    "state" TEXT NOT NULL,
    "ended_at" TIMESTAMPTZ(3),
    "detail" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "leased_until" TIMESTAMPTZ(6),

    CONSTRAINT "config_changes_pkey" PRIMARY KEY ("tenant","id")
);
CREATE UNIQUE INDEX "config_changes_tenant_request_id_key" ON "config_changes"("tenant", "request_id");
CREATE INDEX "config_changes_tenant_proposed_at_id_idx" ON "config_changes"("tenant", "proposed_at" DESC, "id" DESC);
CREATE INDEX "config_changes_open" ON "config_changes" ("tenant") WHERE "state" IN ('proposed', 'applying');
ALTER TABLE "config_changes" ADD CONSTRAINT "config_changes_state" CHECK ("state" IN ('proposed', 'applying', 'applied', 'denied', 'expired', 'withdrawn', 'failed'));

CREATE TABLE "patterns" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    -- Digest of what must be equal: action, resource, actor, environment, requester. No parameter's value is in it.
    "match_key" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "uses" INTEGER NOT NULL,
    "used" INTEGER NOT NULL DEFAULT 0,
    "revoked_at" TIMESTAMPTZ(3),
    "revoked_by" JSON,
    -- What it is for, as people see it, masked.
    "document" JSON NOT NULL,
    -- The pinned values, sealed.
    "sealed_pins" BYTEA NOT NULL,

    CONSTRAINT "patterns_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "patterns_tenant_created_at_id_idx" ON "patterns"("tenant", "created_at" DESC, "id" DESC);
CREATE INDEX "patterns_live" ON "patterns" ("tenant", "match_key") WHERE "revoked_at" IS NULL;
ALTER TABLE "patterns" ADD CONSTRAINT "patterns_used" CHECK ("used" BETWEEN 0 AND "uses");

-- One row for each use that a limit of the policy counts; old ones are deleted as new ones come.
CREATE TABLE "limit_uses" (
    "tenant" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "limit_uses_pkey" PRIMARY KEY ("tenant","key","request_id")
);
CREATE INDEX "limit_uses_tenant_key_at_idx" ON "limit_uses"("tenant", "key", "at");

-- ================================================================ what must hold while a commit happens

-- A statement sees what was committed before it began; a freeze that is placed, or a policy that is put in force, while a commit is under
-- way would be missed. So commits share a lock, which freezing and activating take for themselves; and each statement of a volatile function
-- has a snapshot of its own, which is taken once the lock is there.
CREATE FUNCTION "countersign_take_control"(of_tenant text) RETURNS void LANGUAGE sql VOLATILE AS $$
  SELECT pg_advisory_xact_lock(1131628131, hashtext(of_tenant));
$$;

CREATE FUNCTION "countersign_in_force"(of_tenant text, of_digest text) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1131628131, hashtext(of_tenant));
  RETURN EXISTS (SELECT FROM active_policies WHERE tenant = of_tenant AND digest = of_digest);
END
$$;

-- As the names of persons are compared elsewhere.
CREATE FUNCTION "countersign_fold"(name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT lower(btrim(normalize(name, NFKC)));
$$;

-- Whether a freeze is about an action, in force or not.
CREATE FUNCTION "countersign_freeze_covers"(frozen "freezes", of_action text, of_actors text[], of_callers text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT (frozen.action_like IS NULL OR lower(of_action) LIKE frozen.action_like)
    AND (frozen.caller IS NULL OR frozen.caller = ANY (of_callers))
    AND (frozen.actor_fold IS NULL OR EXISTS (SELECT FROM unnest(of_actors) AS one (name) WHERE countersign_fold(one.name) = frozen.actor_fold OR one.name = ANY (frozen.actor_people)));
$$;

-- Whether it holds the action now.
CREATE FUNCTION "countersign_freezes"(frozen "freezes", of_action text, of_actors text[], of_callers text[]) RETURNS boolean LANGUAGE sql VOLATILE AS $$
  SELECT frozen.lifted_at IS NULL
    AND (frozen.expires_at IS NULL OR frozen.expires_at > clock_timestamp())
    AND countersign_freeze_covers(frozen, of_action, of_actors, of_callers);
$$;

-- The oldest freeze that holds an action now, and for as long as the calling transaction lasts; null where there is none.
CREATE FUNCTION "countersign_frozen"(of_tenant text, of_action text, of_actors text[], of_callers text[]) RETURNS json LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1131628131, hashtext(of_tenant));
  -- Nearly always there is nothing to compare with.
  IF NOT EXISTS (SELECT FROM freezes WHERE tenant = of_tenant AND lifted_at IS NULL) THEN RETURN NULL; END IF;
  RETURN (SELECT json_build_object('id', f.id, 'reason', f.reason, 'placed_at', f.placed_at) FROM freezes f
          WHERE f.tenant = of_tenant AND f.lifted_at IS NULL AND countersign_freezes(f, of_action, of_actors, of_callers)
          ORDER BY f.placed_at, f.id LIMIT 1);
END
$$;
