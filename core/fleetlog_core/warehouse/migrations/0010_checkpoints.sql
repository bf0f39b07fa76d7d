-- Which blocks of each table were there and on disk at a moment (docs/decisions/0010-lost-parts.md). A block is what one
-- insert added; merges keep the blocks of what they merge. The row with the highest number holds.
CREATE TABLE checkpoints (
    place  UInt8,                                              -- 0: there is one row
    number UInt64,
    boot   String,                                             -- of the machine; later blocks may be lost when it ends
    blocks String                                              -- JSON: table -> [[first, last], …], in order
) ENGINE = ReplacingMergeTree(number)
ORDER BY place
SETTINGS non_replicated_deduplication_window = 10000;

-- Nothing is known of what earlier versions wrote.
INSERT INTO checkpoints SELECT 0 AS place, 0 AS number, '' AS boot, '{}' AS blocks;

-- Where a rebuild from the log has to come before its rows are served: next offsets, by partition.
CREATE TABLE rebuilds (
    topic       LowCardinality(String),
    part        UInt16,
    next_offset UInt64
) ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (topic, part)
SETTINGS non_replicated_deduplication_window = 10000;
