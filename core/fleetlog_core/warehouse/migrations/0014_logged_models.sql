-- Logged models. A model's id is 16 random bytes: it is not in the order of time.

CREATE TABLE logged_models (
    namespace      LowCardinality(String),
    model_id       FixedString(16),
    experiment     UInt32,
    name           String,
    source_run_id  FixedString(16),                            -- 16 NUL bytes = none
    model_type     String,
    status         UInt8,                                      -- fleetlog.v1.LoggedModelStatus
    status_message String,
    create_time    DateTime64(3, 'UTC'),
    update_time    DateTime64(3, 'UTC'),
    deleted        UInt8,
    purged         UInt8,                                      -- no read shows it
    made           UInt8,                                      -- 0 while it is known by other events than LoggedModelCreated only
    ver            UInt64                                      -- log offset of the last event that changed it
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, model_id)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- Params (kind 1) and tags (2) of logged models. ver of a tag is the log offset << 20 | place in the record; that of a
-- param is the highest number less as much, since its first write stays.
CREATE TABLE model_attrs (
    namespace LowCardinality(String),
    model_id  FixedString(16),
    kind      UInt8,
    key       LowCardinality(String),
    str       String CODEC(ZSTD(1)),
    removed   UInt8,
    ver       UInt64
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, model_id, kind, key)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- Points of metrics that name a model; they are in `points`, too. Of the same moment of a metric, run and data the last
-- one in the order of the log stays.
CREATE TABLE model_metrics (
    namespace      LowCardinality(String),
    model_id       FixedString(16),
    key            LowCardinality(String),
    run_id         FixedString(16),
    ts             DateTime64(3, 'UTC'),
    step           Int64,
    dataset_name   LowCardinality(String),
    dataset_digest LowCardinality(String),
    value          Float64,
    ver            UInt64                                      -- log offset << 20 | place among the record's points
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, model_id, key, run_id, ts, step, dataset_name, dataset_digest)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- Paths of which files are gone: those of the path and below it that were logged before `ver`. '' = all.
CREATE TABLE artifact_deletions (
    namespace LowCardinality(String),
    run_id    FixedString(16),
    path      String,
    ver       UInt64
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, run_id, path)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;
