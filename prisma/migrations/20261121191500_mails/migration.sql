-- CreateTable
CREATE TABLE "mails" (
    "tenant" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "person_id" TEXT NOT NULL,
    "request_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "sending_until" TIMESTAMPTZ(3),
    "sent_at" TIMESTAMPTZ(3),
    "refused" TEXT,
    "refused_at" TIMESTAMPTZ(3),
    "opened_at" TIMESTAMPTZ(3),
    "session_id" TEXT,

    CONSTRAINT "mails_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateIndex
CREATE INDEX "mails_tenant_request_id_idx" ON "mails"("tenant", "request_id");

ALTER TABLE "mails" ADD CONSTRAINT "mails_opened" CHECK (("opened_at" IS NULL) = ("session_id" IS NULL));
