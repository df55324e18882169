"""Sets of conversations: LLaVA's, the multi-task mix, instructions without images, and files of your own in LLaVA's form."""

import random
from collections.abc import Iterator, Mapping
from functools import partial
from operator import itemgetter
from pathlib import Path

from minigpt4.training.row import Row

from .annotations import KEY, LIST, Annotation, PlacedAnnotation, read_list
from .images import named
from .published_set import PublishedSet, ask, chat
from .text import clean_caption


SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}


def _turns(row: Annotation) -> list[tuple[str, str]]:
    """The questions and answers of a published conversation."""
    talk = row["conversations"]
    speakers = [turn["from"] for turn in talk]
    if not talk or speakers != ["human", "gpt"] * (len(talk) // 2):
        raise ValueError(f"has turns of {', '.join(map(str, speakers)) or 'nobody'}, not of human and gpt in turn")
    texts = [turn["value"] for turn in talk]
    texts[0] = texts[0].replace("<image>", "").replace("\n", "").strip()
    return list(zip(texts[::2], texts[1::2], strict=True))


def _conversation(row: Annotation, rng: random.Random) -> Row:
    return chat(_turns(row))


def _one_turn(row: Annotation, rng: random.Random) -> Row:
    question, answer = _turns(row)[0]
    return ask(clean_caption(question), answer)


def _llava(task: str, file: str, make) -> PublishedSet:
    return PublishedSet(
        task=task,
        files=(file,),
        fields={"id": KEY, "conversations": LIST},
        make=make,
        images="coco/images",
        image_paths=partial(named, pattern="COCO_train2014_{id}.jpg"),
    )


def _instruction(row: Annotation, rng: random.Random) -> Row:
    instance = row["instances"][0]
    constraints = instance["constraints"]
    instruction = instance["instruction_with_input"] + (f" {constraints}" if constraints is not None else "")
    return ask(clean_caption(instruction), clean_caption(instance["output"]))


CONVERSATION_SETS = {
    "llava_conversation": _llava("conversation", "llava/conversation_58k.json", _conversation),
    "llava_detail": _llava("description", "llava/detail_23k.json", _one_turn),
    "llava_reason": _llava("reasoning", "llava/complex_reasoning_77k.json", _one_turn),
    "multitask_conversation": _llava(
        "conversation", "multitask_conversation/multitask_conversation.json", _conversation
    ),
    "unnatural_instruction": PublishedSet(
        task="instruction",
        files=("unnatural_instructions/filtered_unnatural_instruction.json",),
        fields={"instances": LIST},
        make=_instruction,
    ),
}


def _read_own(path: Path) -> Iterator[PlacedAnnotation]:
    for where, row in read_list(path):
        if isinstance(row, Mapping):
            images = row.get("image") or []
            row = {**row, "images": [images] if isinstance(images, str) else images}
        yield where, row


def _own(row: Annotation, rng: random.Random) -> Row:
    """Each `<image>` is an image where it stands; images that no text shows go before the first question."""
    messages: list[dict] = []
    for turn in row["conversations"]:
        if turn["from"] not in SPEAKERS:
            raise ValueError(f"has a turn from {turn['from']!r}, not from human or gpt")
        pieces = turn["value"].split("<image>")
        content: list[dict] = []
        for index, piece in enumerate(pieces):
            content += [{"type": "image"}] * (index > 0)
            content += [{"type": "text", "text": piece.strip()}] * bool(piece.strip())
        messages.append({"role": SPEAKERS[turn["from"]], "content": content})
    shown = sum(part["type"] == "image" for message in messages for part in message["content"])
    given = len(row["images"])
    if not messages:
        raise ValueError("has no turns")
    if shown == 0:
        messages[0]["content"] = [{"type": "image"}] * given + messages[0]["content"]
    elif shown != given:
        raise ValueError(f"has {given} images, but <image> {shown} times in its text")
    return {"messages": messages}


def own_conversations(file: str) -> PublishedSet:
    """A JSON file of your own in LLaVA's form, its images beside it."""
    return PublishedSet(
        task="conversation",
        files=(file,),
        fields={"conversations": LIST, "images": LIST},
        make=_own,
        images=".",
        image_paths=itemgetter("images"),
        read=_read_own,
        upright=True,
    )
