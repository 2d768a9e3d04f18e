CREATE TABLE "told_notices" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "notice_id" TEXT NOT NULL,
    "place" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "state" TEXT NOT NULL,
    "tries" INTEGER NOT NULL DEFAULT 1,
    "ref" JSON,
    "at" TIMESTAMPTZ(6) NOT NULL DEFAULT now(),

    CONSTRAINT "told_notices_pkey" PRIMARY KEY ("tenant","platform","notice_id","place")
);

CREATE TABLE "snoozes" (
    "tenant" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "number" SERIAL NOT NULL,
    "until_at" TIMESTAMPTZ(3),
    "set_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "snoozes_pkey" PRIMARY KEY ("tenant","request_id","person_id")
);

CREATE TABLE "digests" (
    "tenant" TEXT NOT NULL,
    "slot" TEXT NOT NULL,
    "recipient" TEXT NOT NULL,
    "made_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "digests_pkey" PRIMARY KEY ("tenant","slot","recipient")
);

CREATE INDEX "notices_tenant_request_id_idx" ON "notices"("tenant", "request_id");

-- ================================================================ what Prisma cannot say

ALTER TABLE "told_notices" ADD CONSTRAINT "told_notices_state" CHECK ("state" IN ('telling', 'told'));
ALTER TABLE "timers" DROP CONSTRAINT "timers_kind";
ALTER TABLE "timers" ADD CONSTRAINT "timers_kind" CHECK ("kind" IN ('reminder', 'escalation', 'deadline', 'review_overdue', 'snooze'));
