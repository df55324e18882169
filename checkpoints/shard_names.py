"""Names of webdataset shards: `laion/{00000..10488}.tar`."""

import re
from glob import glob

import fsspec


NUMBERS = re.compile(r"\{(\d+)\.\.(\d+)\}")


def expand_shards(name: str) -> list[str]:
    """
    The files that a name means.

    Args:
        name (`str`): a path or address of any file system that fsspec knows, with `{00000..10488}` for numbers, or with `*`.

    Returns:
        `list[str]`: with numbers, all of them, whether they are there or not; with `*`, those that are there.

    Raises:
        ValueError: numbers count down.
    """
    if numbers := NUMBERS.search(name):
        first, last = numbers.groups()
        before, after = name[: numbers.start()], name[numbers.end() :]
        if int(first) > int(last):
            raise ValueError(f"{name} has no shards: {numbers.group()} counts down. Use {{{last}..{first}}}.")
        counted = (str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
        return [shard for number in counted for shard in expand_shards(f"{before}{number}{after}")]
    if "*" not in name:
        return [name]
    if "://" in name:
        files, pattern = fsspec.core.url_to_fs(name)
        found = [files.unstrip_protocol(path) for path in files.glob(pattern)]
        return sorted(found)
    return sorted(glob(name))  # noqa: PTH207, as a Path's glob takes no absolute patterns
