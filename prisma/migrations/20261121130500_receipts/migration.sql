-- AlterTable
ALTER TABLE "action_requests" ADD COLUMN "use_until" TIMESTAMPTZ(3),
ADD COLUMN "redeemed_by" TEXT;

-- CreateTable
CREATE TABLE "execution_reports" (
    "tenant" TEXT NOT NULL,
    "request_id" TEXT NOT NULL,
    "by" TEXT NOT NULL,
    "result" TEXT NOT NULL,
    "result_digest" TEXT,
    "detail" TEXT,
    "reported_at" TIMESTAMPTZ(3) NOT NULL,
    "fingerprint" TEXT NOT NULL,

    CONSTRAINT "execution_reports_pkey" PRIMARY KEY ("tenant","request_id")
);

ALTER TABLE "execution_reports" ADD CONSTRAINT "execution_reports_result" CHECK ("result" IN ('succeeded', 'failed'));
