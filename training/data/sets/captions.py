"""Sets of captions: COCO (Karpathy), TextCaps, and the detailed descriptions of stage 2."""

import random
from functools import partial

from .annotations import KEY, TEXT, Row, read_key
from .images import named, without_folders
from .published_set import PublishedSet, ask
from .text import clean_caption


FORMS = (
    "Briefly describe this image.",
    "Provide a concise depiction of this image.",
    "Present a short description of this image.",
    "Summarize this image in a few words.",
    "A short image caption:",
    "A short image description:",
    "A photo of ",
    "An image that shows ",
    "Write a short description for the image. ",
    "Write a description for the photo.",
    "Provide a description of what is presented in the photo.",
    "Briefly describe the content of the image.",
    "Can you briefly explain what you see in the image?",
    "Could you use a few words to describe what you perceive in the photo?",
    "Please provide a short depiction of the picture.",
    "Using language, provide a short account of the image.",
    "Use a few words to illustrate what is happening in the picture.",
)


def _caption(row: Row, rng: random.Random, field: str) -> dict:
    return ask(f"[caption] {rng.choice(FORMS)}", clean_caption(row[field]))


def _described(row: Row, rng: random.Random) -> dict:
    # As it stands; the recipe of stage 2 has the prompts.
    return {"text": row["caption"]}


def _not_train2014(row: Row) -> str | None:
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
