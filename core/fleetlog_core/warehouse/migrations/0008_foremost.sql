-- The lowest and the highest number of each granule: the foremost of a key are in few of them, and only those are read.
ALTER TABLE attrs ADD INDEX IF NOT EXISTS by_num num TYPE minmax GRANULARITY 1;

ALTER TABLE attrs MATERIALIZE INDEX IF EXISTS by_num;

ALTER TABLE series ADD INDEX IF NOT EXISTS by_min minv TYPE minmax GRANULARITY 1;

ALTER TABLE series MATERIALIZE INDEX IF EXISTS by_min;

ALTER TABLE series ADD INDEX IF NOT EXISTS by_max maxv TYPE minmax GRANULARITY 1;

ALTER TABLE series MATERIALIZE INDEX IF EXISTS by_max;
