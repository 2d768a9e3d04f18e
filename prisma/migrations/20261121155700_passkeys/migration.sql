-- CreateTable
CREATE TABLE "passkeys" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "credential_id" TEXT NOT NULL,
    "public_key" BYTEA NOT NULL,
    "spki" BYTEA NOT NULL,
    "counter" BIGINT NOT NULL,
    "transports" TEXT[],
    "aaguid" TEXT NOT NULL,
    "backup_eligible" BOOLEAN NOT NULL,
    "backed_up" BOOLEAN NOT NULL,
    "name" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),
    "removed_at" TIMESTAMPTZ(3),
    "removed_by" TEXT,

    CONSTRAINT "passkeys_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateTable
CREATE TABLE "passkey_challenges" (
    "tenant" TEXT NOT NULL,
    "challenge" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "session" BYTEA NOT NULL,
    "purpose" JSON NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "spent_at" TIMESTAMPTZ(3),

    CONSTRAINT "passkey_challenges_pkey" PRIMARY KEY ("tenant","challenge")
);

-- CreateTable
CREATE TABLE "passkey_assertions" (
    "hash" BYTEA NOT NULL,
    "tenant" TEXT NOT NULL,
    "passkey_id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "request_digest" TEXT NOT NULL,
    "view_digest" TEXT NOT NULL,
    "verdict" TEXT NOT NULL,
    "evidence" JSON NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "taken_at" TIMESTAMPTZ(3),

    CONSTRAINT "passkey_assertions_pkey" PRIMARY KEY ("hash")
);

-- CreateTable
CREATE TABLE "step_up_intents" (
    "tenant" TEXT NOT NULL,
    "id" UUID NOT NULL,
    "request_id" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "verdict" TEXT NOT NULL,
    "reason" TEXT,
    "via" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "step_up_intents_pkey" PRIMARY KEY ("tenant","id")
);

-- CreateIndex
CREATE UNIQUE INDEX "passkeys_tenant_credential_id_key" ON "passkeys"("tenant", "credential_id");

-- CreateIndex
CREATE INDEX "passkeys_tenant_person_id_idx" ON "passkeys"("tenant", "person_id");

-- CreateIndex
CREATE INDEX "passkey_assertions_tenant_passkey_id_idx" ON "passkey_assertions"("tenant", "passkey_id");

ALTER TABLE "passkeys" ADD CONSTRAINT "passkeys_counter" CHECK ("counter" >= 0);
ALTER TABLE "passkey_assertions" ADD CONSTRAINT "passkey_assertions_verdict" CHECK ("verdict" IN ('approve', 'deny'));
ALTER TABLE "step_up_intents" ADD CONSTRAINT "step_up_intents_verdict" CHECK ("verdict" IN ('approve', 'deny'));
