-- Branches of runs (docs/decisions/0019-branches.md): runs that go on from a step of another one.

-- Points that a branch has of other runs: those of source_run_id up to max_step whose records stand before next_offset in
-- that run's partition. part and off are of the record that made the branch: to it, the points came with that.
CREATE TABLE branch_segments (
    namespace     LowCardinality(String),
    run_id        FixedString(16),
    source_run_id FixedString(16),
    max_step      Int64,
    next_offset   Int64,
    part          UInt16,
    off           Int64
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, run_id, source_run_id)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- Where a run goes on from (16 NUL bytes = it began by itself); the first branch of a run that was rewound (NUL = this is
-- it), the number of the branch, and the branch that stands in this one's place (NUL = none: this is the current one).
ALTER TABLE runs ADD COLUMN IF NOT EXISTS source_run_id FixedString(16);

ALTER TABLE runs ADD COLUMN IF NOT EXISTS source_step Int64;

ALTER TABLE runs ADD COLUMN IF NOT EXISTS root_run_id FixedString(16);

ALTER TABLE runs ADD COLUMN IF NOT EXISTS branch UInt32;

ALTER TABLE runs ADD COLUMN IF NOT EXISTS superseded_by FixedString(16);

ALTER TABLE run_history ADD COLUMN IF NOT EXISTS source_run_id FixedString(16);

ALTER TABLE run_history ADD COLUMN IF NOT EXISTS source_step Int64;

ALTER TABLE run_history ADD COLUMN IF NOT EXISTS root_run_id FixedString(16);

ALTER TABLE run_history ADD COLUMN IF NOT EXISTS branch UInt32;

ALTER TABLE run_history ADD COLUMN IF NOT EXISTS superseded_by FixedString(16);
