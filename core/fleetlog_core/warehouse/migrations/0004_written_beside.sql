-- These are written beside the tables that they follow, before those, and no longer by views: when the process was killed
-- between a table's insert and its view's, the repeat either was not recognised in the view's table, whose sums then
-- counted a batch twice, or was not made at all, since the table already had the batch.
DROP VIEW IF EXISTS run_series_of_series;

DROP VIEW IF EXISTS run_history_of_runs;

DROP VIEW IF EXISTS experiment_history_of_experiments;

DROP VIEW IF EXISTS run_skews_of_runs;

DROP VIEW IF EXISTS run_changes_of_writers;
