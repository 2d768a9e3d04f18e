-- Registered endpoints and bare URLs that failed once, in one table: both can be disabled, and both hold their events then.
CREATE TABLE "endpoints" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "endpoint_key" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "description" TEXT,
    "events" TEXT[],
    "format" TEXT NOT NULL DEFAULT 'standard',
    "header_names" TEXT[],
    "sealed_headers" BYTEA,
    "state" TEXT NOT NULL DEFAULT 'enabled',
    "reason" TEXT,
    "since" TIMESTAMPTZ(3) NOT NULL,
    "failing_since" TIMESTAMPTZ(3),
    "api_key_id" TEXT,
    "created_by" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "updated_at" TIMESTAMPTZ(3) NOT NULL,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "endpoints_pkey" PRIMARY KEY ("tenant","id")
);
CREATE UNIQUE INDEX "endpoints_tenant_endpoint_key_key" ON "endpoints"("tenant", "endpoint_key");

CREATE TABLE "endpoint_secrets" (
    "tenant" TEXT NOT NULL,
    "endpoint_id" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "sealed_secret" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "retires_at" TIMESTAMPTZ(3),

    CONSTRAINT "endpoint_secrets_pkey" PRIMARY KEY ("tenant","endpoint_id","id")
);

ALTER TABLE "deliveries"
    ADD COLUMN "endpoint_key" TEXT,
    ADD COLUMN "format" TEXT NOT NULL DEFAULT 'standard',
    ADD COLUMN "leased_until" TIMESTAMPTZ(6),
    ADD COLUMN "reason" TEXT,
    ADD COLUMN "ended_at" TIMESTAMPTZ(3),
    ADD COLUMN "redrive_of" TEXT,
    ADD COLUMN "message_id" TEXT;
-- What was there before names a bare URL; its query is no part of the key.
UPDATE "deliveries" SET "endpoint_key" = coalesce("target"->>'endpoint_id', "api_key_id" || ' ' || split_part("target"->>'url', '?', 1));
ALTER TABLE "deliveries" ALTER COLUMN "endpoint_key" SET NOT NULL;

ALTER TABLE "delivery_attempts"
    ADD COLUMN "url" TEXT,
    ADD COLUMN "duration_ms" INTEGER;

-- A redrive repeats the number of the delivery that it repeats.
DROP INDEX "deliveries_tenant_request_id_sequence_key";
CREATE INDEX "deliveries_tenant_request_id_sequence_idx" ON "deliveries"("tenant", "request_id", "sequence");
CREATE INDEX "deliveries_tenant_created_at_id_idx" ON "deliveries"("tenant", "created_at" DESC, "id" DESC);

-- ================================================================ what Prisma cannot say

CREATE UNIQUE INDEX "deliveries_sequence" ON "deliveries" ("tenant", "request_id", "sequence") WHERE "redrive_of" IS NULL AND "event" <> 'endpoint.tested';
-- One redrive of a delivery at a time, whoever asks.
CREATE UNIQUE INDEX "deliveries_redrive" ON "deliveries" ("redrive_of") WHERE "redrive_of" IS NOT NULL AND "state" IN ('pending', 'held');
-- A claim walks from endpoint to endpoint, and takes the oldest of each: what waits for one costs the others nothing.
CREATE INDEX "deliveries_by_endpoint" ON "deliveries" ("tenant", "endpoint_key", "next_attempt_at") WHERE "state" = 'pending';
CREATE INDEX "deliveries_leased" ON "deliveries" ("tenant", "endpoint_key") WHERE "leased_until" IS NOT NULL;
CREATE INDEX "deliveries_held" ON "deliveries" ("tenant", "endpoint_key") WHERE "state" = 'held';
CREATE INDEX "deliveries_dead" ON "deliveries" ("tenant", "created_at" DESC, "id" DESC) WHERE "state" = 'dead';
CREATE INDEX "endpoints_disabled" ON "endpoints" ("tenant", "endpoint_key") WHERE "state" = 'disabled';

ALTER TABLE "endpoints" ADD CONSTRAINT "endpoints_kind" CHECK ("kind" IN ('registered', 'bare'));
ALTER TABLE "endpoints" ADD CONSTRAINT "endpoints_state" CHECK ("state" IN ('enabled', 'disabled'));
ALTER TABLE "endpoints" ADD CONSTRAINT "endpoints_format" CHECK ("format" IN ('standard', 'cloudevents'));
ALTER TABLE "deliveries" ADD CONSTRAINT "deliveries_format" CHECK ("format" IN ('standard', 'cloudevents'));

-- Queue-like: each claim, renewal and end is an update; dead rows are cleared early.
ALTER TABLE "deliveries" SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_threshold = 500);
