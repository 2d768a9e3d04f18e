-- Messages that list many requests that are alike.
CREATE TABLE "batches" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "place" TEXT NOT NULL,
    "alike" TEXT NOT NULL,
    "state" TEXT NOT NULL CHECK ("state" IN ('posting', 'posted', 'closed', 'failed', 'lost')),
    "ref" JSONB,
    "first_at" TIMESTAMPTZ(3) NOT NULL,
    "revision" BIGSERIAL NOT NULL,
    "shown_revision" BIGINT NOT NULL DEFAULT 0,
    "shown_digest" TEXT,
    "tries" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(6) NOT NULL DEFAULT now(),
    "leased_until" TIMESTAMPTZ(6),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "batches_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "batches_tenant_platform_place_alike_idx" ON "batches"("tenant", "platform", "place", "alike", "created_at" DESC);
CREATE INDEX "batches_platform_due_at_idx" ON "batches"("platform", "due_at");

-- Which requests a message lists; one message of a place for a request.
CREATE TABLE "batch_requests" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "place" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "batch_id" TEXT NOT NULL,
    "position" SERIAL NOT NULL,

    CONSTRAINT "batch_requests_pkey" PRIMARY KEY ("tenant","platform","request_id","place")
);
CREATE INDEX "batch_requests_tenant_batch_id_position_idx" ON "batch_requests"("tenant", "batch_id", "position");
