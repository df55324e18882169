"""Webdataset shards, as stage 1 reads them: tar files of pictures and what is written about them, from a disk or any address."""

import json
import random
import tarfile
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import datasets
from datasets.utils.file_utils import xopen

from minigpt4.checkpoints.shard_names import expand_shards
from minigpt4.processing.image_loading import AsStoredBytes
from minigpt4.training.row import Row, row_texts

from .readers import Share
from .rows import StreamedRows
from .sets.annotations import Annotation
from .sets.published_set import ShardSet
from .sets.text import clean_caption


IMAGE_ENDINGS = ("jpg", "jpeg", "png", "webp")
READ_BYTES = 2**20


class Shards(StreamedRows):
    """
    The samples of tar files: `KEY.jpg` (or `.png`, `.webp`) with `KEY.json`, which has a `caption`, or `KEY.txt`.

    `datasets`' own reader of such files stops at the first damage, and takes a tar that is cut short for a whole one. Here
    what is damaged is a row, too, with the reason in `broken`.

    Args:
        name (`str`): a path or address of any file system that fsspec knows, `hf://` and `s3://` too, ending in `.tar`;
            with `{00000..10488}` for numbers, or with `*`.
        published (`ShardSet`, *optional*): what rows are made of the samples. Default: the `text` of the caption, cleaned.

    Raises:
        FileNotFoundError: no file is named so. Addresses with numbers are not asked for before they are read.
    """

    def __init__(self, name: str, published: ShardSet | None = None):
        self.name, self.shards, self.published = name, expand_shards(name), published
        if not self.shards or ("://" not in name and not any(Path(shard).is_file() for shard in self.shards)):
            raise FileNotFoundError(
                f"No shards found for {name}: use --set data_root=FOLDER for the folder they are in."
            )

    @property
    def num_shards(self) -> int:  # type: ignore[override]
        return len(self.shards)

    def stream(self, seed: str) -> datasets.IterableDataset:
        """Every sample once, the shards in an order that `seed` decides. Rows as [`read_shards`] gives them."""
        order = random.Random(seed).sample(self.shards, len(self.shards))
        reading = {"shards": order, "published": self.published, "seed": seed}
        return datasets.IterableDataset.from_generator(read_shards, gen_kwargs=reading)

    def each_once(self, share: Share) -> Iterator[Row]:
        usable = (row for row in read_shards(self.shards, self.published) if not row["broken"])
        return islice(usable, share.reader, None, share.readers)


def is_shards(name: str) -> bool:
    return name.endswith(".tar")


def read_shards(shards: list[str], published: ShardSet | None = None, seed: str = "") -> Iterator[Row]:
    """
    Read tar files from start to end.

    Args:
        shards (`list[str]`): paths or addresses.
        published (`ShardSet`, *optional*): see [`Shards`].
        seed (`str`, *optional*): decides the random choices in a row, with its `source`.

    Returns:
        Rows with a `source` (shard and name of the sample), the bytes of its `image` and its `text`, cleaned, or `images` and
        `messages`; and `broken`: `None`, or for samples and shards that cannot be used, why.
    """
    for shard in shards:
        samples = 0
        try:
            for name, parts in _samples(shard):
                yield _row(f"{shard}/{name}", parts, published, seed)
                samples += 1
            if not samples:
                yield _broken(shard, "empty shard")
        except FileNotFoundError:
            yield _broken(shard, "missing shard")
        except PermissionError:
            raise
        except (OSError, EOFError, tarfile.TarError, zlib.error):
            yield _broken(shard, "damaged shard")


class _Member(tarfile.TarInfo):
    """tarfile takes damage between two members for the end of the archive, unless it is at the start."""

    @classmethod
    def fromtarfile(cls, tarfile_):
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.EOFHeaderError:  # type: ignore[attr-defined]  # the mark at its end
            raise
        except tarfile.HeaderError as error:
            raise tarfile.ReadError(str(error)) from error


def _samples(shard: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """
    Members that stand together and have the same name up to its first dot are a sample. Where a shard is damaged, the
    sample before that may lack a part, and goes with it.
    """
    current, parts = "", dict[str, bytes]()
    with (
        xopen(shard, "rb") as file,  # tries again when a connection fails
        tarfile.open(fileobj=file, mode="r|", bufsize=READ_BYTES, tarinfo=_Member) as tar,
    ):
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # which would grow
            if not member.isfile():
                continue
            folder, slash, file_name = member.name.rpartition("/")
            stem, _, ending = file_name.partition(".")
            if folder + slash + stem != current:
                if parts:
                    yield current, parts
                current, parts = folder + slash + stem, {}
            if (ending := ending.lower()) in (*IMAGE_ENDINGS, "json", "txt"):
                parts[ending] = tar.extractfile(member).read()  # type: ignore[union-attr]  # a file has content
    if parts:
        yield current, parts


def _row(source: str, parts: dict[str, bytes], published: ShardSet | None, seed: str) -> Row:
    image = next((parts[ending] for ending in IMAGE_ENDINGS if ending in parts), None)
    if not image:
        return _broken(source, "missing image")
    if "json" not in parts and "txt" not in parts:
        return _broken(source, "missing caption")
    try:
        annotation = json.loads(parts["json"]) if "json" in parts else {"caption": parts["txt"].decode()}
        made = _made(annotation, image, published, random.Random(f"{seed} {source}"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return _broken(source, "damaged caption")
    if not row_texts(made)[-1]:
        return _broken(source, "empty caption")
    return {"source": source, **made, "broken": None}


def _made(annotation: Annotation, image: bytes, published: ShardSet | None, rng: random.Random) -> Row:
    if published is None:
        return {"image": image, "text": clean_caption(annotation["caption"])}
    return {"images": [AsStoredBytes(image)], **published.make(annotation, rng), "task": published.task}


def _broken(source: str, why: str) -> Row:
    return {"source": source, "image": None, "text": None, "broken": why}  # type: ignore[typeddict-item]
