-- What a request id stands for: a digest of the request, so that another one under the same id is told apart. 0: not
-- known, as of what was written before.
ALTER TABLE writers ADD COLUMN IF NOT EXISTS request UInt64;

ALTER TABLE outcomes ADD COLUMN IF NOT EXISTS request UInt64;
