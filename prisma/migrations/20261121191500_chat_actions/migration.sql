-- What was entered in a chat besides the reason, so that the page where the passkey is used has it.
ALTER TABLE "step_up_intents" ADD COLUMN "given" JSON;

-- Presses and commands of chat platforms that were taken: each is taken once, by whichever process.
CREATE TABLE "taken_presses" (
    "tenant" TEXT NOT NULL,
    "platform" TEXT NOT NULL,
    "key" BYTEA NOT NULL,
    "taken_at" TIMESTAMPTZ(3) NOT NULL DEFAULT now(),

    CONSTRAINT "taken_presses_pkey" PRIMARY KEY ("tenant","platform","key")
);
CREATE INDEX "taken_presses_taken_at_idx" ON "taken_presses"("taken_at");
