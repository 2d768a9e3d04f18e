-- Ledger rows never change, so the private part of one that was sealed under an older master key gets its new wrapping here.
CREATE TABLE "ledger_rewraps" (
    "tenant" TEXT NOT NULL,
    "leaf_id" UUID NOT NULL,
    "sealed_private" BYTEA NOT NULL,

    CONSTRAINT "ledger_rewraps_pkey" PRIMARY KEY ("tenant","leaf_id")
);
