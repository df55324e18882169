"""Measures of boxes."""

from collections.abc import Sequence


def iou(first: Sequence[float], second: Sequence[float], whole_pixels: bool = False) -> float:
    """
    Intersection over union of two boxes.

    Args:
        first, second (`Box` or four numbers): x1, y1, x2, y2 in any unit, the same for both. A box with reversed corners is
            empty.
        whole_pixels (`bool`, *optional*, defaults to `False`):
            Take corners for pixels that belong to the box, so that one from 3 to 3 is 1 wide: the published MiniGPT-v2
            evaluation does, which gives larger values for small boxes.

    Returns:
        `float`: from 0.0 to 1.0; 0.0 where both are empty.
    """
    extra = 1 if whole_pixels else 0

    def area(x1: float, y1: float, x2: float, y2: float) -> float:
        return max(0, x2 - x1 + extra) * max(0, y2 - y1 + extra)

    shared = area(*(max(pair) for pair in zip(first[:2], second[:2], strict=True)), *map(min, first[2:], second[2:]))
    total = area(*first) + area(*second) - shared
    return shared / total if total else 0.0
