"""Near-duplicates: texts by MinHash over their shingles, images by their perceptual hash."""

import re
from collections import defaultdict
from collections.abc import Mapping

from datasketch import MinHash, MinHashLSH


SHINGLE = 3  # words
PERMUTATIONS = 128
BITS = 64


def similar_texts(texts: Mapping[str, str], at_least: float) -> dict[str, str]:
    """
    The texts that nearly repeat an earlier one.

    Args:
        texts (`Mapping[str, str]`): by id, in their order.
        at_least (`float`): Jaccard similarity of the sets of three-word shingles. MinHash finds candidates; what decides
            is the similarity itself.

    Returns:
        `dict`: id -> the id of the first text that it repeats.
    """
    shingles = {name: _shingles(text) for name, text in texts.items()}
    # A threshold below the wanted one: the index misses some pairs near it, and what it finds too many is sorted out.
    index = MinHashLSH(threshold=max(0.1, at_least - 0.15), num_perm=PERMUTATIONS)
    order = {name: number for number, name in enumerate(texts)}
    found: dict[str, str] = {}
    for name, own in shingles.items():
        sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update_batch([shingle.encode() for shingle in sorted(own)])
        near = sorted(index.query(sketch), key=order.__getitem__)
        alike = (other for other in near if len(own & shingles[other]) / len(own | shingles[other]) >= at_least)
        first = next(alike, None)
        if first is None:
            index.insert(name, sketch)
        else:
            found[name] = first
    return found


def similar_images(hashes: Mapping[str, str], at_most: int) -> dict[str, str]:
    """
    The images that nearly repeat an earlier one.

    Args:
        hashes (`Mapping[str, str]`): by id, in their order: 64 bits as hexadecimal digits.
        at_most (`int`): bits that differ.

    Returns:
        `dict`: id -> the id of the first image that it repeats.
    """
    # Of at_most + 1 bands one is equal in any two hashes that differ in at_most bits.
    bands = at_most + 1
    index: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    values = {name: int(digits, 16) for name, digits in hashes.items()}
    found: dict[str, str] = {}
    order = {name: number for number, name in enumerate(values)}
    for name, value in values.items():
        keys = [(band, _band(value, band, bands)) for band in range(bands)]
        candidates = {other for key in keys for other in index[key]}
        near = [other for other in candidates if (value ^ values[other]).bit_count() <= at_most]
        if near:
            found[name] = min(near, key=order.__getitem__)
        else:
            for key in keys:
                index[key].append(name)
    return found


def _shingles(text: str) -> set[str]:
    words = re.findall(r"\w+", text.lower())
    return {" ".join(words[start : start + SHINGLE]) for start in range(max(1, len(words) - SHINGLE + 1))}


def _band(value: int, band: int, bands: int) -> int:
    start, end = band * BITS // bands, (band + 1) * BITS // bands
    return value >> start & (1 << end - start) - 1
