-- Fewer and wider merges: at about twelve parts of one size instead of five. Each row is merged less often, and a load of
-- many runs leaves the processor to itself and to searches; parts that grow old are merged as before.
ALTER TABLE attrs MODIFY SETTING merge_selector_base = 12;

ALTER TABLE run_attrs MODIFY SETTING merge_selector_base = 12;

ALTER TABLE series MODIFY SETTING merge_selector_base = 12;

ALTER TABLE run_series MODIFY SETTING merge_selector_base = 12;

ALTER TABLE rollup MODIFY SETTING merge_selector_base = 12;

ALTER TABLE points MODIFY SETTING merge_selector_base = 12;

ALTER TABLE runs MODIFY SETTING merge_selector_base = 12;

ALTER TABLE run_homes MODIFY SETTING merge_selector_base = 12;

ALTER TABLE run_touches MODIFY SETTING merge_selector_base = 12;

ALTER TABLE writers MODIFY SETTING merge_selector_base = 12;

ALTER TABLE run_history MODIFY SETTING merge_selector_base = 12;

ALTER TABLE tag_history MODIFY SETTING merge_selector_base = 12;
