"""Whether a run may write to its folder. Checked before torch is imported, so nothing heavy is imported here."""

import re
from pathlib import Path

from minigpt4.checkpoints.writing import STAGING, UNFINISHED


CHECKPOINT = re.compile(r"checkpoint-(\d+)")
# What a run leaves in its folder; anything else belongs to somebody else.
OWN_FILES = re.compile(
    rf"{CHECKPOINT.pattern}|runs|logs|README\.md|.*\.(json|jsonl|safetensors|bin|jinja|png|model|yaml|py)({re.escape(UNFINISHED)})?|\..*"
)


def checkpoint_to_resume(output: Path, resume: bool) -> str | None:
    """
    The last checkpoint in the folder of a run; `None` if it starts from the beginning.

    Raises:
        FileExistsError: `output` contains other files, or a run while `resume` is not set.
        FileNotFoundError: there is nothing to resume.
    """
    names = sorted(path.name for path in output.iterdir() if path.name != STAGING) if output.is_dir() else []
    if output.exists() and not output.is_dir():
        raise FileExistsError(f"{output} is a file: use --set output_dir=FOLDER.")
    if foreign := [name for name in names if not OWN_FILES.fullmatch(name)]:
        raise FileExistsError(
            f"{output} contains {foreign[0]}, which is not from a training run: use --set output_dir=FOLDER."
        )
    steps = {int(found[1]): name for name in names if (found := CHECKPOINT.fullmatch(name))}
    checkpoint = str(output / steps[max(steps)]) if steps else None
    if resume and checkpoint is None:
        raise FileNotFoundError(f"{output} contains no checkpoint to resume from: remove --resume to start a run.")
    if names and not resume:
        advice = f"use --resume to continue from {Path(checkpoint).name}" if checkpoint else "delete it"
        raise FileExistsError(f"{output} already contains a run: {advice}, or use --set output_dir=FOLDER.")
    return checkpoint if resume else None
