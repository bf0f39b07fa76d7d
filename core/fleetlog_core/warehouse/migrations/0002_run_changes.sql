-- Whether anything of the runs of a stretch of time changed: for each 1,024 ms of the time in run ids, a number that
-- every batch with an event of such a run changes. It follows `writers`, whose rows come after all others of a batch:
-- what it says has changed can be read.
CREATE TABLE run_changes (
    namespace LowCardinality(String),
    slot      UInt64,
    changes   SimpleAggregateFunction(sum, UInt64)             -- of hashes, modulo 2^64
) ENGINE = AggregatingMergeTree
ORDER BY (namespace, slot)
SETTINGS non_replicated_deduplication_window = 10000;

CREATE MATERIALIZED VIEW run_changes_of_writers TO run_changes AS
SELECT
    namespace,
    bitShiftRight(reinterpretAsUInt64(reverse(substring(run_id, 1, 6))), 10) AS slot,
    sum(cityHash64(run_id, writer_id, next_offset)) AS changes
FROM writers
GROUP BY namespace, slot;
