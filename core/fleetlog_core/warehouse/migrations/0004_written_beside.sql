-- What follows a table is written beside it, before it, and by no view: when the process was killed between a table's
-- insert and its view's, the repeat either was not recognised in the view's table, whose sums then counted a batch twice,
-- or was not made at all, since the table already had the batch. Earlier files made these views once, and make them no
-- more: of two servers that set up the tables side by side, one would make anew what the other has dropped.
DROP VIEW IF EXISTS run_series_of_series;

DROP VIEW IF EXISTS run_history_of_runs;

DROP VIEW IF EXISTS experiment_history_of_experiments;

DROP VIEW IF EXISTS run_skews_of_runs;

DROP VIEW IF EXISTS run_changes_of_writers;
