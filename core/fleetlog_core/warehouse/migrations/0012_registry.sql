-- Registered models. `state` is all of a model, a version or an approval as JSON (fleetlog_core/registry/states.py); the
-- columns beside it are what is searched by. ver is the log offset of the intent that made the state.

CREATE TABLE registered_models (
    namespace LowCardinality(String),
    model_id  UInt64,                                          -- the log offset of its creation
    name      String,
    deleted   UInt8,
    ver       UInt64,
    state     String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, model_id)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- Versions of a model that was deleted stay as they were: they are reached by their model alone.
CREATE TABLE model_versions (
    namespace LowCardinality(String),
    model_id  UInt64,
    version   UInt64,
    stage     UInt8,                                           -- fleetlog.v1.ModelStage
    run_id    String,                                          -- 32 hexadecimal digits; '' = none
    deleted   UInt8,
    ver       UInt64,
    state     String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, model_id, version)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

CREATE TABLE model_approvals (
    namespace LowCardinality(String),
    model_id  UInt64,
    number    UInt64,
    decision  UInt8,                                           -- fleetlog.v1.ApprovalState
    ver       UInt64,
    state     String CODEC(ZSTD(1))
) ENGINE = ReplacingMergeTree(ver)
ORDER BY (namespace, model_id, number)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- Everything that happened to models, and every state they had. Written before the tables above in each batch.
CREATE TABLE registry_history (
    namespace  LowCardinality(String),
    model_id   UInt64,
    ver        UInt64,
    place      UInt32,                                         -- among what one intent changed
    kind       UInt8,                                          -- 1 the model, 2 a version, 3 an approval
    number     UInt64,                                         -- of the version or the approval; 0 for the model
    action     UInt8,                                          -- fleetlog.v1.ModelAction; 0 = only the state changed
    version    UInt64,                                         -- that the action is about; 0 = the model
    user       LowCardinality(String),
    time       DateTime64(3, 'UTC'),
    subject    String,
    old_value  String,
    new_value  String,
    comment    String,
    approval   UInt64,
    request_id FixedString(16),
    state      String CODEC(ZSTD(1))                           -- '' = not changed
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, model_id, ver, place)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- What an accepted request made: the model's id, or its id and the number of the version, approval or comment: "17/3".
ALTER TABLE outcomes ADD COLUMN IF NOT EXISTS result String;
