-- A look for what is due reads live rows alone, however many lists are closed.
DROP INDEX "batches_platform_due_at_idx";
CREATE INDEX "batches_due_idx" ON "batches"("platform", "due_at") WHERE "shown_revision" < "revision" AND "state" IN ('posting', 'posted', 'closed');
