-- What a decision came with, besides verdict and reason; null where nothing did.
ALTER TABLE "decisions" ADD COLUMN "given" JSON;

CREATE TABLE "card_openings" (
    "tenant" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "view_digest" TEXT NOT NULL,
    "opened_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "card_openings_pkey" PRIMARY KEY ("tenant","request_id","person_id","view_digest")
);

CREATE TABLE "delegations" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "delegate_id" TEXT NOT NULL,
    "from_at" TIMESTAMPTZ(3) NOT NULL,
    "until_at" TIMESTAMPTZ(3) NOT NULL,
    "reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "delegations_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "delegations_tenant_person_id_idx" ON "delegations"("tenant", "person_id");
CREATE INDEX "delegations_tenant_delegate_id_idx" ON "delegations"("tenant", "delegate_id");

CREATE TABLE "reviews" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "groups" TEXT[],
    "opened_at" TIMESTAMPTZ(3) NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "finding" TEXT,
    "note" TEXT,
    "reviewed_by" JSON,
    "reviewed_at" TIMESTAMPTZ(3),

    CONSTRAINT "reviews_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "reviews_tenant_request_id_idx" ON "reviews"("tenant", "request_id");

CREATE TABLE "questions" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "person" JSON NOT NULL,
    "text" TEXT NOT NULL,
    "asked_at" TIMESTAMPTZ(3) NOT NULL,
    "answer" JSON,

    CONSTRAINT "questions_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "questions_tenant_request_id_idx" ON "questions"("tenant", "request_id");

CREATE TABLE "proposals" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "person" JSON NOT NULL,
    "parameters" JSON NOT NULL,
    "reason" TEXT,
    "proposed_at" TIMESTAMPTZ(3) NOT NULL,
    "sealed_parameters" BYTEA NOT NULL,
    "accepted_as" TEXT,
    "accepted_at" TIMESTAMPTZ(3),

    CONSTRAINT "proposals_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "proposals_tenant_request_id_idx" ON "proposals"("tenant", "request_id");

CREATE TABLE "timers" (
    "tenant" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "due_at" TIMESTAMPTZ(3) NOT NULL,
    "detail" JSON NOT NULL,

    CONSTRAINT "timers_pkey" PRIMARY KEY ("tenant","request_id","kind","number")
);
CREATE INDEX "timers_due_at_idx" ON "timers"("due_at");

CREATE TABLE "notices" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "request_id" TEXT,
    "groups" TEXT[],
    "people" TEXT[],
    "channels" JSON NOT NULL,
    "text" TEXT NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL,
    "created_at" TIMESTAMPTZ(6) NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT "notices_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "notices_tenant_created_at_idx" ON "notices"("tenant", "created_at");

CREATE TABLE "notice_tasks" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "notice_id" TEXT NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "due_at" TIMESTAMPTZ(6) NOT NULL DEFAULT now(),
    "leased_until" TIMESTAMPTZ(6),

    CONSTRAINT "notice_tasks_pkey" PRIMARY KEY ("tenant","platform","notice_id")
);
CREATE INDEX "notice_tasks_platform_due_at_idx" ON "notice_tasks"("platform", "due_at");

-- ================================================================ what Prisma cannot say

CREATE INDEX "reviews_open" ON "reviews" ("tenant", "due_at") WHERE "finding" IS NULL;
ALTER TABLE "reviews" ADD CONSTRAINT "reviews_finding" CHECK ("finding" IN ('justified', 'unjustified'));
ALTER TABLE "delegations" ADD CONSTRAINT "delegations_two" CHECK ("person_id" <> "delegate_id" AND "from_at" < "until_at");
ALTER TABLE "timers" ADD CONSTRAINT "timers_kind" CHECK ("kind" IN ('reminder', 'escalation', 'deadline', 'review_overdue'));

-- Queues: rows come and go, so dead ones are cleared early.
ALTER TABLE "timers" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
ALTER TABLE "notice_tasks" SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);
