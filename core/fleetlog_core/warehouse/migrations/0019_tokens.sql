-- Tokens: each state that one ever had, so that a batch can be decided again from the state before it. Of the token itself
-- only a salted digest is kept.
CREATE TABLE tokens (
    token_id String,
    ver      UInt64,                                           -- the log offset of the intent that made the state
    state    String CODEC(ZSTD(1)),                            -- fleetlog.v1.Token as JSON
    salt     String,                                           -- hexadecimal digits, as the next
    digest   String
) ENGINE = ReplacingMergeTree
ORDER BY (token_id, ver)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;
