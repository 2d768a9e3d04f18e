-- Sessions get a name, and what the identity provider said. Those that are there know neither: their people sign in again.
DELETE FROM "sessions";
ALTER TABLE "sessions"
  ADD COLUMN "id" TEXT NOT NULL,
  ADD COLUMN "subject" TEXT,
  ADD COLUMN "provider_sid" TEXT,
  ADD COLUMN "auth_time" TIMESTAMPTZ(3),
  ADD COLUMN "acr" TEXT,
  ADD COLUMN "amr" TEXT[],
  ADD COLUMN "user_agent" TEXT,
  ADD COLUMN "last_used_at" TIMESTAMPTZ(3) NOT NULL,
  ADD COLUMN "sealed_hint" BYTEA;
CREATE UNIQUE INDEX "sessions_id_key" ON "sessions"("id");
CREATE INDEX "sessions_tenant_person_id_idx" ON "sessions"("tenant", "person_id");

CREATE TABLE "identity_links" (
    "tenant" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "how" TEXT NOT NULL,
    "linked_at" TIMESTAMPTZ(3) NOT NULL,
    "last_used_at" TIMESTAMPTZ(3),
    "cut_at" TIMESTAMPTZ(3),

    CONSTRAINT "identity_links_pkey" PRIMARY KEY ("tenant","issuer","subject")
);
CREATE INDEX "identity_links_tenant_person_id_idx" ON "identity_links"("tenant", "person_id");
-- One person is one subject of an issuer, whatever races.
CREATE UNIQUE INDEX "identity_links_person" ON "identity_links"("tenant", "issuer", "person_id") WHERE "cut_at" IS NULL;
ALTER TABLE "identity_links" ADD CONSTRAINT "identity_links_how" CHECK ("how" IN ('directory', 'email', 'jit', 'administrator'));

CREATE TABLE "sign_in_attempts" (
    "hash" BYTEA NOT NULL,
    "tenant" TEXT NOT NULL,
    "provider" TEXT NOT NULL,
    "browser_hash" BYTEA NOT NULL,
    "return_to" TEXT NOT NULL,
    "max_age" INTEGER,
    "acr" TEXT,
    "link_hash" BYTEA,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "sign_in_attempts_pkey" PRIMARY KEY ("hash")
);
CREATE INDEX "sign_in_attempts_expires_at_idx" ON "sign_in_attempts"("expires_at");

CREATE TABLE "logout_token_uses" (
    "tenant" TEXT NOT NULL,
    "issuer" TEXT NOT NULL,
    "jti" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "logout_token_uses_pkey" PRIMARY KEY ("tenant","issuer","jti")
);

CREATE TABLE "chat_link_attempts" (
    "hash" BYTEA NOT NULL,
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "workspace" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "label" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "person_id" TEXT,
    "session_id" TEXT,
    "code_wanted" BOOLEAN NOT NULL DEFAULT false,
    "code_hash" BYTEA,
    "code_tries" INTEGER NOT NULL DEFAULT 0,
    "proof" TEXT,
    "spent_at" TIMESTAMPTZ(3),

    CONSTRAINT "chat_link_attempts_pkey" PRIMARY KEY ("hash")
);
CREATE INDEX "chat_link_attempts_tenant_platform_workspace_user_idx" ON "chat_link_attempts"("tenant", "platform", "workspace", "user");

CREATE TABLE "chat_account_cuts" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "workspace" TEXT NOT NULL,
    "user" TEXT NOT NULL,
    "person_id" TEXT NOT NULL,
    "cut_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "chat_account_cuts_pkey" PRIMARY KEY ("tenant","platform","workspace","user","cut_at")
);
CREATE INDEX "chat_account_cuts_tenant_person_id_idx" ON "chat_account_cuts"("tenant", "person_id");

ALTER TABLE "personal_tokens"
  ADD COLUMN "last_used_at" TIMESTAMPTZ(3),
  ADD COLUMN "stepped_up_at" TIMESTAMPTZ(3);
CREATE INDEX "personal_tokens_tenant_person_id_idx" ON "personal_tokens"("tenant", "person_id");

-- Links that an address made before have no entry in the ledger: they are made anew, with one, at the next press.
DELETE FROM "chat_account_links" WHERE "how" = 'email';
ALTER TABLE "chat_account_links" ADD COLUMN "id" TEXT NOT NULL DEFAULT (gen_random_uuid())::text;
CREATE UNIQUE INDEX "chat_account_links_id_key" ON "chat_account_links"("id");
-- By proof or by e-mail a person links one account of a workspace; another is an administrator's or the directory's to name.
CREATE UNIQUE INDEX "chat_account_links_own" ON "chat_account_links"("tenant", "platform", "workspace", "person_id") WHERE "how" IN ('proof', 'email');
