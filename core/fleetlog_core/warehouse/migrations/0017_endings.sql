-- How runs end: what a run knows of its writers that tell when they end ('' = it has none), and since when each of them
-- is at work (offset + 2; 1 = ended, 0 = it does not tell).
ALTER TABLE runs ADD COLUMN IF NOT EXISTS endings String;

ALTER TABLE writers ADD COLUMN IF NOT EXISTS at_work UInt64;
