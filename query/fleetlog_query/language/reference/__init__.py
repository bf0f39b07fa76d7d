"""The evaluator over Python rows that the compiled statements are tested against. Pure."""
