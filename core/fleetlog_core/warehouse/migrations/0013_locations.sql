-- When a run was deleted, by the gateway's clock; 0 = it is not deleted, or was before this was kept.
ALTER TABLE runs ADD COLUMN IF NOT EXISTS delete_time DateTime64(3, 'UTC');

-- Where artifacts of an experiment are kept by whoever keeps them elsewhere than here: a URI, or empty.
ALTER TABLE experiments ADD COLUMN IF NOT EXISTS artifact_location String;
