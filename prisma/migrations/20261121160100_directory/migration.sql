-- Who speaks of a person, and which entries are one human.
ALTER TABLE "directory_people"
    ADD COLUMN "source" TEXT NOT NULL DEFAULT 'file',
    ADD COLUMN "sources" TEXT[] DEFAULT ARRAY['file']::TEXT[],
    ADD COLUMN "inactive_by" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ADD COLUMN "aliases" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ADD COLUMN "former" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ADD COLUMN "same_human_as" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ADD COLUMN "mailboxes" TEXT[] DEFAULT ARRAY[]::TEXT[],
    ADD COLUMN "human" TEXT,
    ADD COLUMN "revision" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ADD COLUMN "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ADD COLUMN "deleted_at" TIMESTAMPTZ(3);
UPDATE "directory_people" SET "human" = "id", "mailboxes" = ARRAY[lower("email")], "inactive_by" = CASE WHEN "active" THEN ARRAY[]::TEXT[] ELSE ARRAY['file'] END;
ALTER TABLE "directory_people" ALTER COLUMN "human" SET NOT NULL;
CREATE INDEX "directory_people_tenant_human_idx" ON "directory_people"("tenant", "human");
CREATE INDEX "directory_people_mailboxes_idx" ON "directory_people" USING GIN ("mailboxes");
CREATE INDEX "directory_people_former_idx" ON "directory_people" USING GIN ("former");

CREATE TABLE "directory_groups" (
    "tenant" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "external_id" TEXT,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "directory_groups_pkey" PRIMARY KEY ("tenant","name")
);
CREATE UNIQUE INDEX "directory_groups_tenant_id_key" ON "directory_groups"("tenant", "id");
INSERT INTO "directory_groups" ("tenant", "name", "id", "source", "revision")
    SELECT DISTINCT "tenant", "group_name", gen_random_uuid()::text, 'file', 0 FROM "directory_memberships";

CREATE TABLE "scim_users" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "user_name" TEXT NOT NULL,
    "user_name_key" TEXT NOT NULL,
    "external_id" TEXT,
    "given_name" TEXT,
    "family_name" TEXT,
    "formatted" TEXT,
    "display_name" TEXT,
    "title" TEXT,
    "user_type" TEXT,
    "department" TEXT,
    "emails" JSON NOT NULL,
    "active" BOOLEAN NOT NULL,
    "revision" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "deleted_at" TIMESTAMPTZ(3),

    CONSTRAINT "scim_users_pkey" PRIMARY KEY ("tenant","id")
);
CREATE INDEX "scim_users_tenant_external_id_idx" ON "scim_users"("tenant", "external_id");

CREATE TABLE "scim_tokens" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "prefix" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "scim_tokens_pkey" PRIMARY KEY ("tenant","id")
);
CREATE UNIQUE INDEX "scim_tokens_hash_key" ON "scim_tokens"("hash");

ALTER TABLE "directory_agents"
    ADD COLUMN "owner_group" TEXT,
    ADD COLUMN "actions" JSON,
    ADD COLUMN "purposes" JSON,
    ADD COLUMN "risk" TEXT,
    ADD COLUMN "source" TEXT NOT NULL DEFAULT 'file',
    ADD COLUMN "revision" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP;

-- ================================================================ what Prisma cannot say

-- userName is unique without case among those that were not deleted (RFC 7643, section 4.1.1).
CREATE UNIQUE INDEX "scim_users_user_name" ON "scim_users" ("tenant", "user_name_key") WHERE "deleted_at" IS NULL;
CREATE INDEX "directory_groups_name" ON "directory_groups" ("tenant", lower("name"));
CREATE INDEX "directory_memberships_group" ON "directory_memberships" ("tenant", "group_name");
-- An agent's id in another case is the same agent. That an address names one living entry, and a name one group, is looked at under
-- the directory's lock: a unique index would refuse a file in which two people exchange their addresses.
CREATE INDEX "directory_agents_id" ON "directory_agents" ("tenant", "countersign_fold"("id"));
ALTER TABLE "directory_people" ADD CONSTRAINT "directory_people_source" CHECK ("source" IN ('file', 'scim', 'oidc', 'api'));
ALTER TABLE "directory_groups" ADD CONSTRAINT "directory_groups_source" CHECK ("source" IN ('file', 'scim', 'oidc', 'api'));
ALTER TABLE "directory_agents" ADD CONSTRAINT "directory_agents_risk" CHECK ("risk" IN ('low', 'medium', 'high', 'critical'));
