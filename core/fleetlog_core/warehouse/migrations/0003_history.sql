-- What reading the fleet as of a position of the log needs (docs/decisions/0008-as-of.md): the states that later events
-- changed. Where a run's row, a tag or an experiment has not changed since the position, its own table says it.
-- All states are kept, those that a merge of their table would drop among them; what is there already is copied once.

-- Every state of a run; ver is the log offset after whose record it holds.
CREATE TABLE run_history (
    namespace     LowCardinality(String),
    experiment    UInt32,
    run_id        FixedString(16),
    name          String,
    user          LowCardinality(String),
    state         UInt8,
    start_time    DateTime64(3, 'UTC'),
    end_time      DateTime64(3, 'UTC'),
    parent_run_id FixedString(16),
    deleted       UInt8,
    ver           UInt64
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, experiment, run_id, ver)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;

-- Every value of a tag; ver as in attrs. Params need none: they are written once.
CREATE TABLE tag_history (
    namespace LowCardinality(String),
    run_id    FixedString(16),
    key       LowCardinality(String),
    num       Float64,
    str       String,
    removed   UInt8,
    ver       UInt64
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, run_id, key, ver)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;

-- Every state of an experiment; ver as in experiments.
CREATE TABLE experiment_history (
    namespace   LowCardinality(String),
    experiment  UInt32,
    name        String,
    deleted     UInt8,
    ver         UInt64
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, experiment, ver)
SETTINGS non_replicated_deduplication_window = 10000;

-- Where the log stood when: for each millisecond (span 1) and each hour (span 3600000) in which it took records, the
-- offsets of the first of them and after the last of them, and how many partitions the topic has. Written before
-- `applied` in each batch. Where it begins, the history begins.
CREATE TABLE log_times (
    topic       LowCardinality(String),
    part        UInt16,
    span        UInt32,
    begin       Int64                                  CODEC(Delta(8), ZSTD(1)), -- Unix milliseconds by the log's clock
    first       SimpleAggregateFunction(min, UInt64)   CODEC(Delta(8), ZSTD(1)),
    next_offset SimpleAggregateFunction(max, UInt64)   CODEC(Delta(8), ZSTD(1)),
    partitions  SimpleAggregateFunction(max, UInt32)   CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree
ORDER BY (topic, part, span, begin)
SETTINGS non_replicated_deduplication_window = 10000;

-- The offset after the last record with points of the series: a series whose number is not above a position has not
-- changed since. `series` comes before `attrs` in a batch, so no latest value is seen without it.
ALTER TABLE series ADD COLUMN IF NOT EXISTS until SimpleAggregateFunction(max, UInt64);

ALTER TABLE run_series ADD COLUMN IF NOT EXISTS until SimpleAggregateFunction(max, UInt64);

INSERT INTO run_history
SELECT namespace, experiment, run_id, name, user, state, start_time, end_time, parent_run_id, deleted, ver
FROM runs FINAL;

INSERT INTO tag_history
SELECT namespace, run_id, key, num, str, removed, toUInt64(ver) AS ver FROM attrs FINAL WHERE kind = 2;

INSERT INTO experiment_history
SELECT namespace, experiment, name, deleted, ver FROM experiments FINAL;
