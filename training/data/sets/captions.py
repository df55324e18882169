"""Sets of captions: COCO (Karpathy), TextCaps, the detailed descriptions of stage 2, and the shards of stage 1."""

import random
from functools import partial

from minigpt4.processing.tasks import TASKS
from minigpt4.training.row import Row

from .annotations import KEY, TEXT, Annotation, read_key
from .images import named, without_folders
from .published_set import PublishedSet, ShardSet, ask
from .text import clean_caption


def _caption(row: Annotation, rng: random.Random, field: str) -> Row:
    return ask(rng.choice(TASKS["caption"].forms), clean_caption(row[field]))


def _described(row: Annotation, rng: random.Random) -> Row:
    # As it stands; the recipe of stage 2 has the prompts.
    return {"text": row["caption"]}


def _not_train2014(row: Annotation) -> str | None:
    return None if "train" in row["image"] else "image not of train2014"


CAPTION_SETS = {
    "coco_caption": PublishedSet(
        task="caption",
        files=("coco_captions/annotations/coco_karpathy_train.json",),
        fields={"image": TEXT, "caption": TEXT},
        make=partial(_caption, field="caption"),
        images="coco/images",
        image_paths=without_folders,
        left_out=_not_train2014,
    ),
    "textcaps_caption": PublishedSet(
        task="caption",
        files=("textcaps/TextCaps_0.1_train.json",),
        fields={"image_id": KEY, "caption_str": TEXT},
        make=partial(_caption, field="caption_str"),
        images="textcaps/train_images",
        image_paths=partial(named, pattern="{image_id}.jpg"),
        read=partial(read_key, key="data"),
    ),
    "cc_sbu_align": PublishedSet(
        task="description",
        files=("cc_sbu_align/filter_cap.json",),
        fields={"image_id": KEY, "caption": TEXT},
        make=_described,
        images="cc_sbu_align/image",
        image_paths=partial(named, pattern="{image_id}.jpg"),
        read=partial(read_key, key="annotations"),
    ),
}

_caption_of = partial(_caption, field="caption")
CAPTION_SHARDS = {
    "laion_caption": ShardSet("caption", "laion/laion_dataset/*.tar", _caption_of),
    "cc_sbu_caption": ShardSet("caption", "cc_sbu/cc_sbu_dataset/*.tar", _caption_of),
}
