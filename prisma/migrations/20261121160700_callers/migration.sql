-- How callers prove themselves, rotation with overlap, and what is kept of workload identities.
ALTER TABLE "api_keys" ADD COLUMN "kind" TEXT NOT NULL DEFAULT 'secret',
ADD COLUMN "binding" JSON,
ADD COLUMN "networks" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN "previous_hash" BYTEA,
ADD COLUMN "sealed_previous_webhook_secret" BYTEA,
ADD COLUMN "previous_until" TIMESTAMPTZ(3),
ADD COLUMN "last_used_at" TIMESTAMPTZ(3),
ADD COLUMN "revoked_reason" TEXT,
ADD COLUMN "voided_at" TIMESTAMPTZ(3);

CREATE TABLE "workload_tokens" (
    "hash" BYTEA NOT NULL,
    "tenant" TEXT NOT NULL,
    "key_id" TEXT NOT NULL,
    "rule" TEXT NOT NULL,
    "evidence" JSON NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "workload_tokens_pkey" PRIMARY KEY ("hash")
);

CREATE TABLE "spent_proofs" (
    "tenant" TEXT NOT NULL,
    "digest" BYTEA NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "spent_proofs_pkey" PRIMARY KEY ("tenant","digest")
);

CREATE TABLE "issuer_keys" (
    "tenant" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "jwks" JSON NOT NULL,
    "fetched_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "issuer_keys_pkey" PRIMARY KEY ("tenant","issuer")
);

CREATE UNIQUE INDEX "api_keys_previous_hash_key" ON "api_keys"("previous_hash");
CREATE INDEX "workload_tokens_expires_at_idx" ON "workload_tokens"("expires_at");
CREATE INDEX "spent_proofs_expires_at_idx" ON "spent_proofs"("expires_at");

ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_kind" CHECK ("kind" IN ('secret', 'workload', 'certificate'));
ALTER TABLE "api_keys" ADD CONSTRAINT "api_keys_overlap" CHECK ("previous_hash" IS NULL OR "previous_until" IS NOT NULL);
-- A platform's token leads to one caller, and a certificate to one: whichever rule is looked up.
CREATE UNIQUE INDEX "api_keys_bound_name" ON "api_keys"("tenant", "name") WHERE "kind" = 'workload' AND "revoked_at" IS NULL;
-- Few and short-lived: what the sweep asks for every five seconds.
CREATE INDEX "api_keys_unvoided" ON "api_keys"("revoked_at") WHERE "revoked_at" IS NOT NULL AND "voided_at" IS NULL;
-- Keys that were revoked before there was anything to void count as done.
UPDATE "api_keys" SET "voided_at" = now() WHERE "revoked_at" IS NOT NULL;
