"""The second step: short answers are continued in a second turn."""

from typing import Any

from transformers import set_seed

from minigpt4.checkpoints.loading import load_any
from minigpt4.processing.image_loading import load_image

from .describing import Describer
from .generating import batch_seed
from .sources import picture_path
from .table import Entry, entry
from .work import Work


def work(work: Work) -> None:
    """Ask for more where an answer has fewer tokens than the recipe wants, and join what comes."""
    section, generate = work.section, work.recipe.generate
    if generate.model is None:
        raise ValueError(
            "continue needs generate.model: the texts came from a file, and no model knows its conversation."
        )
    loaded = load_any(work.where(generate.model), work.trust_remote_code, device_map=work.device_map())
    describer = Describer(*loaded, generate.prompt, generate.settings)
    for batch in work.batches(generate.batch_size):
        texts = {row["id"]: work.table.text(row, "continue") or "" for row in batch}
        short = [row for row in batch if describer.length(texts[row["id"]]) < section.under]
        known = {row["id"] for row in short}
        work.write({row["id"]: entry(None, "long enough") for row in batch if row["id"] not in known})
        if not short:
            continue
        set_seed(batch_seed(generate.seed, batch))
        pictures = [load_image(picture_path(work.root, row["image"])) for row in short]
        given = [texts[row["id"]] for row in short]
        made = describer.go_on(pictures, given, section.under, section.at_most, section.prompt)
        asked = {"model": generate.model, "prompt": describer.continue_prompt(section.prompt)}
        work.write(
            {
                row["id"]: _entry(describer, text, *more, asked)
                for row, text, more in zip(short, given, made, strict=True)
            }
        )


def _entry(describer: Describer, text: str, more: list[str], finished: bool, asked: dict[str, Any]) -> Entry:
    if not more:
        return entry(None, "nothing more", **asked)
    joined = " ".join([text, *more])
    return entry(joined, "continued", **asked, turns=len(more), tokens=describer.length(joined), finished=finished)
