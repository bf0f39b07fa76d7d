-- The copies by run and the history of tags are written beside `attrs`, as those of 0004 are beside their tables: two
-- inserts side by side take two cores, where a view does both in one.
DROP VIEW IF EXISTS run_attrs_of_attrs;

DROP VIEW IF EXISTS tag_history_of_attrs;
