-- What policy or the configuration names as a place for cards, and where nothing can be shown now: told once.
CREATE TABLE "routing_failures" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "target" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "since" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),
    "last_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "routing_failures_pkey" PRIMARY KEY ("tenant","platform","target")
);
