-- CreateTable
CREATE TABLE "tenants" (
    "id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "action_requests" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "version" INTEGER NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "settled_at" TIMESTAMPTZ(3),
    "redeemed_at" TIMESTAMPTZ(3),
    "action_digest" TEXT NOT NULL,
    "request_digest" TEXT NOT NULL,
    "view_digest" TEXT NOT NULL,
    "policy_digest" TEXT NOT NULL,
    "grant_audience" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "actor_id" TEXT NOT NULL,
    "resource_id" TEXT NOT NULL,
    "requester_id" TEXT NOT NULL,
    "chain_people" TEXT[],
    "stage_groups" TEXT[],
    "document" JSON NOT NULL,
    "sealed_payload" BYTEA NOT NULL,

    CONSTRAINT "action_requests_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "decisions" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "person" JSON NOT NULL,
    "verdict" TEXT NOT NULL,
    "reason" TEXT,
    "decided_at" TIMESTAMPTZ(3) NOT NULL,
    "via" TEXT NOT NULL,
    "groups" TEXT[],
    "action_digest" TEXT NOT NULL,
    "request_digest" TEXT NOT NULL,
    "view_digest" TEXT,
    "policy_digest" TEXT NOT NULL,
    "authenticated" JSON NOT NULL,

    CONSTRAINT "decisions_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "outcomes" (
    "tenant" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "sequence" INTEGER NOT NULL,
    "id" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "reason" TEXT,
    "settled_at" TIMESTAMPTZ(3) NOT NULL,
    "data" JSON NOT NULL,

    CONSTRAINT "outcomes_pkey" PRIMARY KEY ("tenant","request_id","sequence")
);

-- CreateTable
CREATE TABLE "grants" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "audience" TEXT NOT NULL,
    "issued_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "sealed_token" BYTEA NOT NULL,

    CONSTRAINT "grants_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "idempotency_keys" (
    "tenant" TEXT NOT NULL,
    "key_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "fingerprint" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "sealed_answer" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("tenant","key_id","key")
);

-- CreateTable
CREATE TABLE "deliveries" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "api_key_id" TEXT NOT NULL,
    "target" JSON NOT NULL,
    "sequence" INTEGER NOT NULL,
    "event" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "sealed_body" BYTEA NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'pending',
    "next_attempt_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "fence" INTEGER NOT NULL DEFAULT 0,

    CONSTRAINT "deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "delivery_attempts" (
    "tenant" TEXT NOT NULL,
    "delivery_id" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "fence" INTEGER NOT NULL,
    "attempted_at" TIMESTAMPTZ(3) NOT NULL,
    "finished_at" TIMESTAMPTZ(3),
    "status" INTEGER,
    "result" TEXT,
    "detail" TEXT,
    "answer_preview" TEXT,

    CONSTRAINT "delivery_attempts_pkey" PRIMARY KEY ("delivery_id","number")
);

-- CreateTable
CREATE TABLE "ledger_leaves" (
    "tenant" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "event" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "subject" TEXT NOT NULL,
    "bytes" BYTEA NOT NULL,
    "sealed_private" BYTEA,

    CONSTRAINT "ledger_leaves_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "ledger_unplaced" (
    "tenant" TEXT NOT NULL,
    "leaf_id" UUID NOT NULL,

    CONSTRAINT "ledger_unplaced_pkey" PRIMARY KEY ("tenant","leaf_id")
);

-- CreateTable
CREATE TABLE "ledger_entries" (
    "tenant" TEXT NOT NULL,
    "position" BIGINT NOT NULL,
    "leaf_id" UUID NOT NULL,
    "hash" BYTEA NOT NULL,

    CONSTRAINT "ledger_entries_pkey" PRIMARY KEY ("tenant","position")
);

-- CreateTable
CREATE TABLE "ledger_nodes" (
    "tenant" TEXT NOT NULL,
    "level" INTEGER NOT NULL,
    "index" BIGINT NOT NULL,
    "hash" BYTEA NOT NULL,

    CONSTRAINT "ledger_nodes_pkey" PRIMARY KEY ("tenant","level","index")
);

-- CreateTable
CREATE TABLE "ledger_checkpoints" (
    "tenant" TEXT NOT NULL,
    "size" BIGINT NOT NULL,
    "root" BYTEA NOT NULL,
    "frontier" BYTEA NOT NULL,
    "note" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "ledger_checkpoints_pkey" PRIMARY KEY ("tenant","size")
);

-- CreateTable
CREATE TABLE "policies" (
    "tenant" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "canonical" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "policies_pkey" PRIMARY KEY ("tenant","digest")
);

-- CreateTable
CREATE TABLE "active_policies" (
    "tenant" TEXT NOT NULL,
    "digest" TEXT NOT NULL,
    "activated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "activated_by" TEXT NOT NULL,

    CONSTRAINT "active_policies_pkey" PRIMARY KEY ("tenant")
);

-- CreateTable
CREATE TABLE "directory_people" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "active" BOOLEAN NOT NULL,
    "roles" TEXT[],

    CONSTRAINT "directory_people_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "directory_memberships" (
    "tenant" TEXT NOT NULL,
    "group_name" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,

    CONSTRAINT "directory_memberships_pkey" PRIMARY KEY ("tenant","person_id","group_name")
);

-- CreateTable
CREATE TABLE "directory_agents" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "owner" TEXT,
    "active" BOOLEAN NOT NULL,

    CONSTRAINT "directory_agents_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "chat_account_links" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "workspace" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "how" TEXT NOT NULL,
    "linked_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "chat_account_links_pkey" PRIMARY KEY ("tenant","platform","workspace","user")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "owner" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "prefix" TEXT NOT NULL,
    "rights" JSON NOT NULL,
    "sealed_webhook_secret" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "personal_tokens" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "name" TEXT NOT NULL,
    "scopes" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),

    CONSTRAINT "personal_tokens_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "sessions" (
    "hash" BYTEA NOT NULL,
    "tenant" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "method" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "sign_in_links" (
    "hash" BYTEA NOT NULL,
    "tenant" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "spent_at" TIMESTAMPTZ(3),

    CONSTRAINT "sign_in_links_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "signing_keys" (
    "kid" TEXT NOT NULL,
    "purpose" TEXT NOT NULL,
    "algorithm" TEXT NOT NULL,
    "public_key" BYTEA NOT NULL,
    "sealed_private_key" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "retired_at" TIMESTAMPTZ(3),

    CONSTRAINT "signing_keys_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "chat_platforms" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "connected_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "chat_platforms_pkey" PRIMARY KEY ("tenant","platform")
);

-- CreateTable
CREATE TABLE "card_tasks" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "revision" BIGSERIAL NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "leased_until" TIMESTAMPTZ(6),
    "leased_revision" BIGINT,

    CONSTRAINT "card_tasks_pkey" PRIMARY KEY ("tenant","platform","request_id")
);

-- CreateTable
CREATE TABLE "posted_cards" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "place" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "ref" JSONB,
    "shown_version" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "posted_cards_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "chat_places" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "place" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "reference" JSON NOT NULL,
    "user" TEXT,
    "allowed" BOOLEAN NOT NULL,

    CONSTRAINT "chat_places_pkey" PRIMARY KEY ("tenant","platform","place")
);

-- CreateIndex
CREATE INDEX "action_requests_tenant_created_at_id_idx" ON "action_requests"("tenant", "created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "action_requests_tenant_requester_id_created_at_id_idx" ON "action_requests"("tenant", "requester_id", "created_at" DESC, "id" DESC);

-- CreateIndex
CREATE INDEX "decisions_tenant_person_id_decided_at_idx" ON "decisions"("tenant", "person_id", "decided_at" DESC);

-- CreateIndex
CREATE UNIQUE INDEX "decisions_tenant_request_id_person_id_key" ON "decisions"("tenant", "request_id", "person_id");

-- CreateIndex
CREATE INDEX "grants_tenant_request_id_issued_at_idx" ON "grants"("tenant", "request_id", "issued_at" DESC);

-- CreateIndex
CREATE UNIQUE INDEX "deliveries_tenant_request_id_sequence_key" ON "deliveries"("tenant", "request_id", "sequence");

-- CreateIndex
CREATE INDEX "ledger_leaves_tenant_subject_id_idx" ON "ledger_leaves"("tenant", "subject", "id");

-- CreateIndex
CREATE UNIQUE INDEX "ledger_entries_tenant_leaf_id_key" ON "ledger_entries"("tenant", "leaf_id");

-- CreateIndex
CREATE INDEX "chat_account_links_tenant_person_id_idx" ON "chat_account_links"("tenant", "person_id");

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_hash_key" ON "api_keys"("hash");

-- CreateIndex
CREATE UNIQUE INDEX "personal_tokens_hash_key" ON "personal_tokens"("hash");

-- CreateIndex
CREATE INDEX "sign_in_links_tenant_idx" ON "sign_in_links"("tenant");

-- CreateIndex
CREATE INDEX "card_tasks_platform_due_at_idx" ON "card_tasks"("platform", "due_at");

-- CreateIndex
CREATE INDEX "posted_cards_ref_idx" ON "posted_cards" USING GIN ("ref" jsonb_path_ops);

-- CreateIndex
CREATE UNIQUE INDEX "posted_cards_tenant_platform_request_id_place_key" ON "posted_cards"("tenant", "platform", "request_id", "place");

-- ================================================================ what Prisma cannot say

-- Expiry sweep, the inbox, and due deliveries: each looks at live rows alone, so a million ended ones cost nothing.
CREATE INDEX "action_requests_due" ON "action_requests" ("expires_at") WHERE "status" = 'pending';
CREATE INDEX "action_requests_inbox" ON "action_requests" ("tenant", "created_at" DESC, "id" DESC) WHERE "status" = 'pending';
CREATE INDEX "deliveries_due" ON "deliveries" ("next_attempt_at") WHERE "state" = 'pending';
-- Of processes that start at once on a fresh database, one makes the key of a purpose.
CREATE UNIQUE INDEX "signing_keys_active" ON "signing_keys" ("purpose") WHERE "retired_at" IS NULL;
CREATE INDEX "directory_people_email" ON "directory_people" ("tenant", lower("email"));

ALTER TABLE "action_requests" ADD CONSTRAINT "action_requests_status" CHECK ("status" IN ('pending', 'approved', 'denied', 'expired', 'cancelled', 'revoked'));
ALTER TABLE "outcomes" ADD CONSTRAINT "outcomes_status" CHECK ("status" IN ('approved', 'denied', 'expired', 'cancelled', 'revoked'));
ALTER TABLE "decisions" ADD CONSTRAINT "decisions_verdict" CHECK ("verdict" IN ('approve', 'deny'));
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_state" CHECK ("state" IN ('pending', 'delivered', 'dead', 'aborted', 'held', 'superseded'));
ALTER TABLE "posted_cards" ADD CONSTRAINT "posted_cards_state" CHECK ("state" IN ('posting', 'posted', 'closed'));

-- Queues: rows come and go, so dead ones are cleared early.
ALTER TABLE "ledger_unplaced" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
ALTER TABLE "card_tasks" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- The ledger: rows are added, never changed, by nobody. ALWAYS, so that a session with replication rights does not slip past.
CREATE FUNCTION "countersign_refuse_change"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only: % on % is refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

DO $$
DECLARE
  ledger_table text;
BEGIN
  FOREACH ledger_table IN ARRAY ARRAY['ledger_leaves', 'ledger_entries', 'ledger_nodes', 'ledger_checkpoints'] LOOP
    EXECUTE format('CREATE TRIGGER "append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON %I FOR EACH STATEMENT EXECUTE FUNCTION "countersign_refuse_change"()', ledger_table);
    EXECUTE format('ALTER TABLE %I ENABLE ALWAYS TRIGGER "append_only"', ledger_table);
  END LOOP;
END
$$;

-- Gives the role that runs the service what it needs and no more; run by the migrations runner after each migration, so a later
-- migration that adds tables replaces the function where they are ledger tables.
CREATE FUNCTION "countersign_grant"(role_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role_name);
  EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO %I', current_schema(), role_name);
  EXECUTE format('GRANT USAGE ON ALL SEQUENCES IN SCHEMA %I TO %I', current_schema(), role_name);
  EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON "ledger_leaves", "ledger_entries", "ledger_nodes", "ledger_checkpoints" FROM %I', role_name);
  EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON "_prisma_migrations" FROM %I', role_name);
END
$$;
REVOKE ALL ON FUNCTION "countersign_grant"(text) FROM PUBLIC;

INSERT INTO "tenants" ("id") VALUES ('default');
