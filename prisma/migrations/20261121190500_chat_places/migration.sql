-- Conversations get an id of ours, a name, and a record of who allowed them and when they were heard of.
ALTER TABLE "chat_places"
    ADD COLUMN "id" TEXT,
    ADD COLUMN "name" TEXT,
    ADD COLUMN "addressed" BOOLEAN NOT NULL DEFAULT false,
    ADD COLUMN "decided_by" JSON,
    ADD COLUMN "decided_at" TIMESTAMPTZ(3),
    ADD COLUMN "first_heard_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ADD COLUMN "last_heard_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    ALTER COLUMN "allowed" SET DEFAULT false;
-- Version 7 by its mark alone: these rows are older than their ids.
UPDATE "chat_places" SET "id" = 'pl_' || overlay(gen_random_uuid()::text PLACING '7' FROM 15 FOR 1);
-- Nobody could allow a place but a quickstart without authentication, for being addressed; it says so from now on.
UPDATE "chat_places" SET "addressed" = "allowed", "allowed" = false;
ALTER TABLE "chat_places" ALTER COLUMN "id" SET NOT NULL;
CREATE UNIQUE INDEX "chat_places_tenant_id_key" ON "chat_places"("tenant", "id");
