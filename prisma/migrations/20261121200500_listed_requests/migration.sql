-- When a request first stood in the message that lists it: the ledger says so once.
ALTER TABLE "batch_requests" ADD COLUMN "listed_at" TIMESTAMPTZ(3);
