"""The filter language: text → tree with spans → plan, and a pure evaluator of plans.

`grammar.lark` is the syntax, `parse` makes the tree, `plan` resolves names and types; `evaluate` says of one run
whether a plan holds. `fleetlog_query.statement` makes SQL of the same plan. See docs/filter.md.
"""
