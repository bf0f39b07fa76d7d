-- Who wrote each record of the log, and what stands in it (docs/decisions/0023-audit.md). They are rows of `log_times`
-- with the span 0, since every batch writes to that table anyway and an insert costs the same whatever is in it. Such a
-- row begins at the offset of its record; `place` tells those of one record apart: 0 is the record, the others are
-- further runs that it is about. Nothing is known of records that earlier versions folded.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS place UInt32, MODIFY ORDER BY (topic, part, span, begin, place);

ALTER TABLE log_times ADD COLUMN IF NOT EXISTS namespace LowCardinality(String);

-- Id of the run or logged model that a frame is about; 16 NUL bytes = none.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS subject FixedString(16);

-- 1: it is a logged model.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS of_model UInt8;

-- Number of the run's or model's experiment; 4294967295 = none.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS experiment UInt32;

-- When the gateway took it.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS time DateTime64(3, 'UTC');

-- Who sent it, as Caller; empty where nobody is asked.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS principal LowCardinality(String);

ALTER TABLE log_times ADD COLUMN IF NOT EXISTS token_name LowCardinality(String);

ALTER TABLE log_times ADD COLUMN IF NOT EXISTS gateway LowCardinality(String);

-- Names of the payloads or of the intent, each once, with commas between.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS kinds LowCardinality(String);

-- What stands in it, in short: JSON, kind -> counts, the first names, the range of steps.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS detail String;

-- Of an intent; 16 NUL bytes = none.
ALTER TABLE log_times ADD COLUMN IF NOT EXISTS request_id FixedString(16);

ALTER TABLE log_times ADD INDEX IF NOT EXISTS by_subject subject TYPE bloom_filter(0.01) GRANULARITY 1;

ALTER TABLE log_times ADD INDEX IF NOT EXISTS by_principal principal TYPE set(64) GRANULARITY 1;
