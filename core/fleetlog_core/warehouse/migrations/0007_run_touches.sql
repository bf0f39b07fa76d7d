-- Which runs events were folded of, and how far at last: `until` is the next offset of the last batch with an event of
-- the run. It is the first table of a batch: whatever else of the batch is seen, its runs are known to have changed. Pages
-- of a search look here for what changed since the first one (docs/decisions/0009-pages.md).
CREATE TABLE run_touches (
    namespace  LowCardinality(String),
    experiment UInt32,
    run_id     FixedString(16),
    until      UInt64,
    INDEX by_until until TYPE minmax GRANULARITY 1
) ENGINE = ReplacingMergeTree(until)
ORDER BY (namespace, experiment, run_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;
