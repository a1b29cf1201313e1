"""How fast and how large: run one with ``python -m benchmarks.NAME``."""
