"""The published data sets of MiniGPT-4 and MiniGPT-v2, read as they were published, and files of your own in LLaVA's form."""

from pathlib import Path

from minigpt4.checkpoints.strangers import OutsideError
from minigpt4.training.data.set_report import SetReport

from .captions import CAPTION_SETS, CAPTION_SHARDS
from .conversations import CONVERSATION_SETS, own_conversations
from .flickr import FLICKR_SETS
from .grit import GRIT_SHARDS
from .images import ImageFolder
from .published_set import PublishedSet, ShardSet
from .questions import QUESTION_SETS
from .referring import REFERRING_SETS
from .set_rows import SetRows
from .text import clean_caption


# By the names that recipes have for them.
SETS: dict[str, PublishedSet] = {
    **CAPTION_SETS,
    **QUESTION_SETS,
    **REFERRING_SETS,
    **FLICKR_SETS,
    **CONVERSATION_SETS,
}
# Those of webdataset shards, which are streamed.
SHARD_SETS: dict[str, ShardSet] = {**CAPTION_SHARDS, **GRIT_SHARDS}


def open_set(name: str, root: str | Path | None = None, max_broken: float = 0.01) -> SetRows:
    """
    Open a set.

    Args:
        name (`str`): a name of `SETS`, or the path of a `.json` file of your own in LLaVA's form.
        root (`str` or `Path`, *optional*): the folder that holds all sets, and files of your own with a relative path.
        max_broken (`float`, *optional*, defaults to 0.01):
            The share of rows that may lack their image or be broken; such rows are counted in `report`, never used.

    Returns:
        `SetRows`: a `torch.utils.data.Dataset`.

    Raises:
        FileNotFoundError: a file or folder of the set is not there.
        OutsideError: an image is outside its folder.
        ValueError: no folder is given, a file cannot be read, or too many rows cannot be used.
    """
    if name in SETS:
        published = SETS[name]
        if root is None:
            raise ValueError(
                f"{name} is a published set: use --set data_root=FOLDER, the folder that contains {published.files[0]}."
            )
        rows = SetRows(name, published, Path(root))
    else:
        file = Path(root or ".") / name
        rows = SetRows(file.name, own_conversations(file.name), file.parent)
    if rows.report.share > max_broken:
        if rows.report.missing and not rows.folder.folder.is_dir():
            raise FileNotFoundError(f"{rows.name} has its images in {rows.folder.folder}, which is not a folder.")
        raise ValueError(
            f"{name}: {len(rows.report.unusable)} rows cannot be used, {rows.report.share:.1%} of them, and max_broken "
            f"allows {max_broken:.1%}: {rows.report}."
        )
    return rows


__all__ = [
    "SETS",
    "SHARD_SETS",
    "ImageFolder",
    "OutsideError",
    "PublishedSet",
    "SetReport",
    "SetRows",
    "ShardSet",
    "clean_caption",
    "open_set",
]
