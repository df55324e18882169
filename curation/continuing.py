"""The second step: short answers are continued in a second turn."""

from typing import Any

from transformers import set_seed

from minigpt4.checkpoints.loading import load_any
from minigpt4.processing.image_loading import load_image

from .describing import Describer
from .generating import batch_seed
from .sources import picture_path
from .table import entry
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
    for [row] in work.batches(1):
        text = work.table.text(row, "continue") or ""
        if describer.length(text) >= section.under:
            work.write({row["id"]: entry(None, "long enough")})
            continue
        set_seed(batch_seed(generate.seed, [row]))
        picture = load_image(picture_path(work.root, row["image"]))
        more, finished = describer.go_on(picture, text, section.under, section.at_most, section.prompt)
        asked = {"model": generate.model, "prompt": describer.continue_prompt(section.prompt)}
        if not more:
            work.write({row["id"]: entry(None, "nothing more", **asked)})
        else:
            joined = " ".join([text, *more])
            known: dict[str, Any] = {"turns": len(more), "tokens": describer.length(joined), "finished": finished}
            work.write({row["id"]: entry(joined, "continued", **asked, **known)})
