-- Artifacts whose bytes could not be stored or looked for when their event was applied. They are tried again until the
-- store answers; `stored` is 1 when it did, and the row of `artifacts` or of `problems` is there.
CREATE TABLE pending_artifacts (
    namespace   LowCardinality(String),
    run_id      FixedString(16),
    part        UInt16,
    off         Int64,
    ver         UInt64,                                        -- the one that its row in artifacts gets
    path        String,
    size_bytes  UInt64,
    sha256      String,                                        -- 64 hexadecimal digits
    writer_id   FixedString(16),
    sequence    UInt64,
    reason      LowCardinality(String),                        -- what the store lacked
    ingest_time DateTime64(3, 'UTC'),
    stored      UInt8
) ENGINE = ReplacingMergeTree(stored)
ORDER BY (namespace, run_id, ver)
SETTINGS non_replicated_deduplication_window = 10000;
