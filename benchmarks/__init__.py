"""Speed and memory compared with the usual alternatives in one run: `python -m benchmarks`."""
