"""
How answers are scored: a file for each metric, of the same name as its module for `evaluate` in `evaluation/metrics/`.

Each has two functions that need no model and no picture:

- `score(answer, target, **options)`: one sample, as a `dict` that JSON can hold. Its `score` is the figure that counts, from 0.0
  to 1.0, or `None` where the sample could not be judged; the rest says why.
- `summarise(scores)`: the figures of a set, from what `score` returned for each of its samples. `n` counts them. Any choice of
  the samples can be summarised, so that an interval is a matter of drawing samples again.
"""
