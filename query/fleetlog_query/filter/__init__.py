"""The filter language: text → tree → plan. `grammar.lark` is the language; docs/filter.md explains it."""
