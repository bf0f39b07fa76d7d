"""The benchmarks: each a module with `measure() -> list[Figure]`, run against a server process of its own."""
