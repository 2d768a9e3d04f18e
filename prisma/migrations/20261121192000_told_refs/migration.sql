-- A press on a notice names the message that it stands in.
CREATE INDEX "told_notices_ref_idx" ON "told_notices" USING GIN (("ref"::jsonb) jsonb_path_ops);
