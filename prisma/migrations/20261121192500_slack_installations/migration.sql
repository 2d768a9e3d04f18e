-- Where the Slack app was installed by OAuth, with its token sealed, and the links that let an administrator install it.
CREATE TABLE "slack_installations" (
    "tenant" TEXT NOT NULL,
    "id" TEXT NOT NULL,
    "team_id" TEXT,
    "team_name" TEXT,
    "enterprise_id" TEXT,
    "enterprise_name" TEXT,
    "enterprise_install" BOOLEAN NOT NULL,
    "app_id" TEXT NOT NULL,
    "bot_id" TEXT NOT NULL,
    "bot_user_id" TEXT NOT NULL,
    "scopes" TEXT[],
    "sealed_token" BYTEA NOT NULL,
    "token_digest" TEXT NOT NULL,
    "installed_by" TEXT NOT NULL,
    "installed_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "slack_installations_pkey" PRIMARY KEY ("tenant","id")
);

CREATE TABLE "slack_install_links" (
    "tenant" TEXT NOT NULL,
    "hash" BYTEA NOT NULL,
    "state_hash" BYTEA,
    "made_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "spent_at" TIMESTAMPTZ(3),

    CONSTRAINT "slack_install_links_pkey" PRIMARY KEY ("tenant","hash")
);
CREATE UNIQUE INDEX "slack_install_links_state_hash_key" ON "slack_install_links"("state_hash");
