"""Speed and memory beside what a user would otherwise take, side by side in one run: `python -m benchmarks`."""
