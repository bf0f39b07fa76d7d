-- Every file that a run or logged model was told of, and every deletion of some, for those who ask what was
-- (docs/decisions/0008-as-of.md). What is there already is copied once: of a path that is the last file and the last
-- deletion, so `copied` rows tell nothing of before them.
CREATE TABLE artifact_history (
    namespace   LowCardinality(String),
    run_id      FixedString(16),
    path        String,
    ver         UInt64,                                        -- as in artifacts and artifact_deletions
    deleted     UInt8,                                         -- 1: files of the path and below it are gone
    size_bytes  UInt64,
    sha256      String,                                        -- 64 hexadecimal digits; '' of a deletion
    ingest_time DateTime64(3, 'UTC'),
    copied      UInt8
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, run_id, path, ver)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 10000;

INSERT INTO artifact_history
SELECT namespace, run_id, path, ver, 0, size_bytes, sha256, ingest_time, 1 FROM artifacts FINAL;

INSERT INTO artifact_history
SELECT namespace, run_id, path, ver, 1, 0, '', toDateTime64(0, 3, 'UTC'), 1 FROM artifact_deletions FINAL;
