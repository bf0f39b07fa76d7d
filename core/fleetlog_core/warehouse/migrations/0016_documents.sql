-- Documents: texts of any kind, found by kind and id. Every state that a document had is a row; the one with the highest
-- ver is how it is now.

CREATE TABLE documents (
    namespace   LowCardinality(String),
    kind        LowCardinality(String),
    document_id String,
    ver         UInt64,                                        -- the log offset of the intent that made the state
    revision    UInt64,
    made        UInt64,                                        -- the log offset of its creation
    parent_id   String,
    unique_key  String,                                        -- '' = none
    deleted     UInt8,
    create_time DateTime64(3, 'UTC'),
    update_time DateTime64(3, 'UTC'),
    create_user LowCardinality(String),
    update_user LowCardinality(String),
    body_bytes  UInt64,                                        -- of body, UTF-8
    body        String CODEC(ZSTD(1))                          -- '' of one that is deleted
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, kind, document_id, ver)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;
