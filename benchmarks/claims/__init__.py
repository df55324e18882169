"""`make claims`: the papers' claims in miniature, on nano's world. `python -m benchmarks.claims OUTPUT [CLAIM …]`."""
