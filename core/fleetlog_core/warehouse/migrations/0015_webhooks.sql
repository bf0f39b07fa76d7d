-- Webhooks: each state that one ever had, so that a batch can be decided again from the state before it.
CREATE TABLE webhooks (
    namespace     LowCardinality(String),
    webhook_id    UInt64,                                      -- the log offset of its creation
    ver           UInt64,                                      -- the log offset of the intent that made the state
    deleted       UInt8,
    state         String CODEC(ZSTD(1)),                       -- fleetlog.v1.Webhook as JSON
    sealed_secret String                                       -- hexadecimal digits; '' = deliveries are not signed
) ENGINE = ReplacingMergeTree
ORDER BY (namespace, webhook_id, ver)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;

-- How deliveries went, written by whoever delivers. Not made of the log: after a rebuild, what was delivered since the
-- offset that the deliverer committed is delivered again.
CREATE TABLE webhook_deliveries (
    namespace  LowCardinality(String),
    webhook_id UInt64,
    ver        UInt64,                                         -- the log offset of the intent that it tells of
    place      UInt32,                                         -- among what the intent changed
    event      LowCardinality(String),
    state      UInt8,                                          -- fleetlog.v1.DeliveryState
    attempts   UInt32,
    status     UInt16,                                         -- HTTP; 0 = no answer
    error      String,
    time       DateTime64(3, 'UTC'),                           -- the last attempt
    next_time  DateTime64(3, 'UTC')                            -- the next attempt; 0 = none
) ENGINE = ReplacingMergeTree(attempts)
ORDER BY (namespace, webhook_id, ver, place)
SETTINGS index_granularity = 256, non_replicated_deduplication_window = 10000;
