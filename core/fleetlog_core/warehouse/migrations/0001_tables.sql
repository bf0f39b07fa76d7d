-- The tables of fleetlog. The same text runs on ClickHouse and on chDB; statements end with a semicolon at the end
-- of a line. run_id is the 16 raw bytes of a UUIDv7 in FixedString(16): byte order is time order, which ClickHouse's
-- own UUID type does not keep. Every table remembers 10,000 insert tokens, so that a repeated batch does nothing.

-- Every point as it was logged. part and off are the log's partition and offset of the record that held it.
CREATE TABLE points (
    namespace LowCardinality(String) CODEC(ZSTD(1)),
    run_id    FixedString(16)        CODEC(ZSTD(1)),
    key       LowCardinality(String) CODEC(ZSTD(1)),
    step      Int64                  CODEC(Delta(8), ZSTD(1)),
    ts        DateTime64(3, 'UTC')   CODEC(Delta(8), ZSTD(1)),
    value     Float64                CODEC(ZSTD(1)),
    rank      Int32                  CODEC(ZSTD(1)),           -- of the writer; -1 when it has none
    part      UInt16                 CODEC(ZSTD(1)),
    off       Int64                  CODEC(Delta(8), ZSTD(1)),
    INDEX by_off off TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
ORDER BY (namespace, run_id, key, step)
SETTINGS non_replicated_deduplication_window = 10000;

-- One row a run: listing and life cycle. ver is the log offset of the last event that changed it.
CREATE TABLE runs (
    namespace     LowCardinality(String),
    experiment    UInt32,
    run_id        FixedString(16),
    name          String,
    user          LowCardinality(String),
    state         UInt8,                                       -- fleetlog.v1.RunState
    start_time    DateTime64(3, 'UTC'),
    end_time      DateTime64(3, 'UTC'),                        -- 0 = has not ended
    parent_run_id FixedString(16),                             -- 16 NUL bytes = none
    deleted       UInt8,
    started       UInt8,                                       -- 0 while the run is known by other events than RunStarted only
    ver           UInt64
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, experiment, run_id)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- By how many milliseconds a run of the experiment started after its id was made at most, and before it at most: ids
-- begin with 48 bits of Unix milliseconds. It bounds where the latest runs of an experiment are.
CREATE TABLE run_skews (
    namespace  LowCardinality(String),
    experiment UInt32,
    ahead      SimpleAggregateFunction(max, Int64),
    behind     SimpleAggregateFunction(max, Int64)
) ENGINE = AggregatingMergeTree
ORDER BY (namespace, experiment)
SETTINGS non_replicated_deduplication_window = 10000;

-- Which experiment a run is in: from its id to its row in `runs`.
CREATE TABLE run_homes (
    namespace  LowCardinality(String),
    run_id     FixedString(16),
    experiment UInt32
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, run_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;

-- The search index: the latest value of every param (kind 1), tag (2) and metric (3); one narrow range for each
-- (namespace, experiment, kind, key).
-- ver decides the latest: for metrics order(step) << 128 | order(time) << 64 | order(value), each as 64 bits whose
-- unsigned order is the values' own (NaN lowest), so that any order of arrival gives the same row; for the rest the
-- log offset << 20 | place in the record.
CREATE TABLE attrs (
    namespace  LowCardinality(String),
    experiment UInt32,
    kind       UInt8,
    key        LowCardinality(String),
    run_id     FixedString(16) CODEC(ZSTD(1)),
    num        Float64         CODEC(ZSTD(1)),                 -- NaN when the text is not a number
    str        String          CODEC(ZSTD(1)),                 -- canonical text of params; '' for metrics
    type       UInt8,                                          -- params: 2 text, 3 whole, 4 real, 5 truth (field numbers of Param)
    removed    UInt8,                                          -- a tag that was deleted
    ver        UInt256         CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, experiment, kind, key, run_id)
SETTINGS index_granularity = 2048, non_replicated_deduplication_window = 10000;

-- The same rows by run: a run's document.
CREATE TABLE run_attrs (
    namespace LowCardinality(String),
    run_id    FixedString(16),
    kind      UInt8,
    key       LowCardinality(String),
    num       Float64,
    str       String,
    type      UInt8,
    removed   UInt8,
    ver       UInt256 CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, run_id, kind, key)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- Whole-series aggregates of each (run, metric); any order of arrival gives the same. Over numbers only, NaN is
-- counted in nans: minv is +inf and maxv -inf when there is no number.
-- first and last hold order(step) << 128 | order(time) << 64 | order(value), like attrs.ver; low holds
-- order(value) << 64 | order(step) and high order(value) << 64 | ~order(step): the lowest step where the extreme is.
CREATE TABLE series (
    namespace  LowCardinality(String),
    experiment UInt32,
    key        LowCardinality(String),
    run_id     FixedString(16),
    minv       SimpleAggregateFunction(min, Float64),
    maxv       SimpleAggregateFunction(max, Float64),
    n          SimpleAggregateFunction(sum, UInt64),
    nans       SimpleAggregateFunction(sum, UInt64),
    total      SimpleAggregateFunction(sum, Float64),
    squares    SimpleAggregateFunction(sum, Float64),
    first      SimpleAggregateFunction(min, UInt256),
    last       SimpleAggregateFunction(max, UInt256),
    low        SimpleAggregateFunction(min, UInt128),          -- largest UInt128 when there is no number
    high       SimpleAggregateFunction(max, UInt128)           -- 0 when there is no number
) ENGINE = AggregatingMergeTree
ORDER BY (namespace, experiment, key, run_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- The same by run: which metrics a run has, and how long each series is.
CREATE TABLE run_series (
    namespace LowCardinality(String),
    run_id    FixedString(16),
    key       LowCardinality(String),
    minv      SimpleAggregateFunction(min, Float64),
    maxv      SimpleAggregateFunction(max, Float64),
    n         SimpleAggregateFunction(sum, UInt64),
    nans      SimpleAggregateFunction(sum, UInt64),
    total     SimpleAggregateFunction(sum, Float64),
    squares   SimpleAggregateFunction(sum, Float64),
    first     SimpleAggregateFunction(min, UInt256),
    last      SimpleAggregateFunction(max, UInt256),
    low       SimpleAggregateFunction(min, UInt128),
    high      SimpleAggregateFunction(max, UInt128)
) ENGINE = AggregatingMergeTree
ORDER BY (namespace, run_id, key)
SETTINGS index_granularity = 512, non_replicated_deduplication_window = 10000;

-- The coarse curve for charts of long series: buckets of 128 steps, b = floor(step / 128).
CREATE TABLE rollup (
    namespace LowCardinality(String) CODEC(ZSTD(1)),
    run_id    FixedString(16)        CODEC(ZSTD(1)),
    key       LowCardinality(String) CODEC(ZSTD(1)),
    b         Int64                  CODEC(Delta(8), ZSTD(1)),
    n         SimpleAggregateFunction(sum, UInt64),
    nans      SimpleAggregateFunction(sum, UInt64),
    total     SimpleAggregateFunction(sum, Float64),
    minv      SimpleAggregateFunction(min, Float64),
    maxv      SimpleAggregateFunction(max, Float64)
) ENGINE = AggregatingMergeTree
ORDER BY (namespace, run_id, key, b)
SETTINGS non_replicated_deduplication_window = 10000;

-- Artifacts of runs whose bytes are stored and verified; the last write of a path wins.
CREATE TABLE artifacts (
    namespace   LowCardinality(String),
    run_id      FixedString(16),
    path        String,
    size_bytes  UInt64,
    sha256      String,                                        -- 64 hexadecimal digits
    ingest_time DateTime64(3, 'UTC'),
    ver         UInt64
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, run_id, path)
SETTINGS non_replicated_deduplication_window = 10000;

-- What went wrong with events of a run.
CREATE TABLE problems (
    namespace   LowCardinality(String),
    run_id      FixedString(16),
    part        UInt16,
    off         Int64,
    place       UInt32,                                        -- within the record
    writer_id   FixedString(16),
    sequence    UInt64,
    reason      LowCardinality(String),
    message     String,
    points      UInt64,
    ingest_time DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, run_id, part, off, place)
SETTINGS non_replicated_deduplication_window = 10000;

-- Which sequences of each writer were applied: the memory that makes a repeat visible once. ranges is
-- "1-17" or, with gaps, "1-17,20-22". next_offset is where the log stood: a row is written last in its batch.
CREATE TABLE writers (
    namespace   LowCardinality(String),
    run_id      FixedString(16),
    writer_id   FixedString(16),
    rank        Int32,
    ranges      String,
    next_offset UInt64
) ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (namespace, run_id, writer_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;

-- Experiments by namespace.
CREATE TABLE experiments (
    namespace   LowCardinality(String),
    experiment  UInt32,
    name        String,
    tags        String,                                        -- JSON object of text to text
    create_time DateTime64(3, 'UTC'),
    update_time DateTime64(3, 'UTC'),
    deleted     UInt8,
    ver         UInt64
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, experiment)
SETTINGS non_replicated_deduplication_window = 10000;

-- What became of each control request.
CREATE TABLE outcomes (
    namespace  LowCardinality(String),
    request_id FixedString(16),
    accepted   UInt8,
    experiment UInt32,
    reason     LowCardinality(String),                         -- of the refusal
    message    String,
    off        UInt64
) ENGINE = ReplacingMergeTree(off)
ORDER BY (namespace, request_id)
SETTINGS non_replicated_deduplication_window = 10000;

-- How far the log was folded, one row a batch, written last: what reads wait for.
CREATE TABLE applied (
    topic       LowCardinality(String),
    part        UInt16,
    next_offset UInt64
) ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (topic, part)
SETTINGS non_replicated_deduplication_window = 10000;
