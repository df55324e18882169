"""Chats as files: JSON, or Markdown to read that also carries the JSON."""

import base64
import hashlib
import json
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from minigpt4.app.boxes import placed_text
from minigpt4.app.chat import Chat, Exchange
from minigpt4.app.uploads import MAX_PICTURES
from minigpt4.inference.serving.pictures import READER, read_picture
from minigpt4.processing.boxes import parse_grounding
from minigpt4.processing.image_addresses import image_address


if TYPE_CHECKING:
    from PIL.Image import Image

    from minigpt4 import MiniGPT4ForConditionalGeneration, MiniGPT4Processor
    from minigpt4.inference.engine import Engine

FORMAT = 1
MOST_TURNS = 500
_HELD = re.compile(r"^\[minigpt4-chat\]: data:application/json;base64,(\S+)$", re.MULTILINE)
_PICTURE = re.compile(r"^\[(picture-\d+)\]: (data:image/\S+)$", re.MULTILINE)


def to_json(chat: Chat, held: Collection[str] = ()) -> str:
    """
    The chat with its pictures, as they are shown and as the model reads them.

    Args:
        chat (`Chat`): one with turns.
        held (`Collection[str]`, *optional*): names of pictures that the reader has already: each is `null` here.
    """
    turns = _turns(chat)
    pictures: dict[str, str | None] = {}
    for picture in (picture for turn in turns for picture in turn["pictures"]):
        for kind, address in picture.items():
            name = hashlib.sha256(address.encode()).hexdigest()[:16]
            picture[kind], pictures[name] = name, None if name in held else address
    return json.dumps({"minigpt4-chat": FORMAT, "turns": turns, "pictures": pictures}, ensure_ascii=False)


def to_markdown(chat: Chat) -> str:
    """The chat for people to read, with its pictures inside. The last link definition, which Markdown does not show, is for `opened`."""
    pictures: dict[str, str] = {}
    turns, lines = _turns(chat), ["# A chat with MiniGPT-4"]
    for turn in turns:
        lines.append("**You**")
        for picture in turn["pictures"]:
            name = f"picture-{len(pictures) + 1}"
            pictures[name], picture["shown"] = picture["shown"], name
            lines.append(f"![{name}]")
        lines.append("\n".join(f"> {_as_typed(line)}" for line in turn["typed"].splitlines() or [""]))
        lines += ["**MiniGPT-4**", placed_text(parse_grounding(turn["answer"])) or turn["answer"]]
    held = base64.b64encode(json.dumps({"minigpt4-chat": FORMAT, "turns": turns}).encode()).decode()
    lines.append("\n".join(f"[{name}]: {address}" for name, address in pictures.items()))
    lines.append(f"[minigpt4-chat]: data:application/json;base64,{held}")
    return "\n\n".join(filter(None, lines)) + "\n"


def opened(
    text: str,
    model: "MiniGPT4ForConditionalGeneration",
    processor: "MiniGPT4Processor",
    engine: "Engine | None" = None,
) -> Chat:
    """
    The chat in a file.

    Args:
        text (`str`): of `to_json` or `to_markdown`.
        model (`MiniGPT4ForConditionalGeneration`), processor (`MiniGPT4Processor`): what the chat continues with.
        engine (`Engine`, *optional*): as for [`Chat`].

    Raises:
        ValueError: it is neither, or damaged.
    """
    try:
        if held := _HELD.search(text):
            shown = dict(_PICTURE.findall(text))
            content = json.loads(base64.b64decode(held[1]))
        else:
            content = json.loads(text)
            shown = content.get("pictures", {})  # older files have them in the turns
        if content["minigpt4-chat"] != FORMAT or len(content["turns"]) > MOST_TURNS:
            raise ValueError("of another version, or too long")
        exchanges = [_exchange(turn, shown) for turn in content["turns"]]
    except (ValueError, KeyError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise ValueError(
            "The file is not a chat saved by this page as Markdown or JSON, or it was changed since."
        ) from error
    chat = Chat(model, processor, engine)
    chat.take(exchanges)
    return chat


def _turns(chat: Chat) -> list[dict[str, Any]]:
    return [
        {
            "typed": each.typed,
            "box": each.box,
            "pictures": [
                {"shown": image_address(shown, "webp"), "read": image_address(read, "png")}
                for shown, read in each.pictures
            ],
            "answer": each.answer,
            "finished": each.finished,
        }
        for each in chat.exchanges()
    ]


def _exchange(turn: dict[str, Any], shown: dict[str, str]) -> Exchange:
    if len(turn["pictures"]) > MAX_PICTURES:
        raise ValueError("too many pictures")
    pictures = []
    for picture in turn["pictures"]:
        seen, read = (shown.get(picture[kind], picture[kind]) for kind in ("shown", "read"))
        pictures.append((base64.b64decode(seen.partition(",")[2]), _opened(read)))
        _opened(seen)  # refuses what is not a picture
    texts = [turn[name] for name in ("typed", "box", "answer")]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError("text that is not a string")
    typed, box, answer = texts
    return Exchange(typed, box, pictures, answer, turn["finished"] is True)


def _opened(address: str) -> "Image":
    if not address.startswith("data:image/"):  # nothing is fetched, and no file of this machine is read
        raise ValueError("a picture that is not in the file")
    return READER.submit(read_picture, address).result()


def _as_typed(line: str) -> str:
    """The line as Markdown that shows it exactly."""
    return re.sub(r"([\\`*_{}\[\]<>#+\-!|~&])", r"\\\1", line)
