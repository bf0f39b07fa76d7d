-- Whether anything of the runs of a stretch of time changed: for each 1,024 ms of the time in run ids, a number that
-- every batch with an event of such a run changes. Written after all that is read of runs: what it
-- says has changed can be read.
CREATE TABLE run_changes (
    namespace LowCardinality(String),
    slot      UInt64,
    changes   SimpleAggregateFunction(sum, UInt64)             -- of hashes, modulo 2^64
) ENGINE = AggregatingMergeTree
ORDER BY (namespace, slot)
SETTINGS non_replicated_deduplication_window = 10000;
