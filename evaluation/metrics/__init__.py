"""Metrics as modules for `evaluate`: `evaluate.load(metric_path("vqa_accuracy"))`."""

from pathlib import Path


_FOLDER = Path(__file__).parent
METRICS = tuple(sorted(folder.name for folder in _FOLDER.iterdir() if (folder / f"{folder.name}.py").is_file()))


def metric_path(name: str) -> str:
    """
    Where a metric of this package lies, for `evaluate.load` and `evaluate.combine`.

    Args:
        name (`str`): one of `METRICS`.

    Raises:
        ValueError: there is no such metric.
    """
    if name not in METRICS:
        raise ValueError(f"{name!r} is not a metric: choose from {', '.join(METRICS)}.")
    return str(_FOLDER / name)


__all__ = ["METRICS", "metric_path"]
