"""The papers' claims: which models they compare, what was published, and what would agree."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .making import VARIANTS, Workshop
from .measuring import measure, measure_tasks


# Points within which two figures count as the same.
SAME = 2.0
SHARES = (0.1, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class Subject:
    """
    A model of a claim.

    Args:
        name (`str`): in tables.
        make (`Callable`): its folder.
        measure (`Callable`): from that folder and a number of scenes to figures in per cent.
        published (`str`): what the paper's table says of it.
    """

    name: str
    make: Callable[[Workshop], Path]
    measure: Callable[[Path, int], dict[str, float]] = measure
    published: str = ""


@dataclass(frozen=True)
class Direction:
    """
    What is published of two models: that a figure of the second is higher than, lower than or the same as that of the first.

    Args:
        figure (`str`): ours that stands for the paper's.
        first, second (`str`): names of subjects.
        published (`str`): `"higher"`, `"lower"` or `"same"`.
        words (`str`): the same with the paper's figures.
    """

    figure: str
    first: str
    second: str
    published: str
    words: str

    def ours(self, figures: dict[str, dict[str, float]]) -> str:
        """The direction in our figures, by the subjects' names."""
        difference = figures[self.second][self.figure] - figures[self.first][self.figure]
        return "same" if abs(difference) < SAME else "higher" if difference > 0 else "lower"


@dataclass(frozen=True)
class Claim:
    """
    A claim of a paper, as far as nano's world has it.

    Args:
        title (`str`): what it is about.
        text (`str`): what was published and what stands for it here.
        column (`str`): heading of the published figures.
        subjects (`tuple[Subject, ...]`): the models.
        directions (`tuple[Direction, ...]`): what is published of them.
    """

    title: str
    text: str
    column: str
    subjects: tuple[Subject, ...]
    directions: tuple[Direction, ...]


def _stage(stage: int, variant: str = "published", share: float = 1.0) -> Callable[[Workshop], Path]:
    return lambda workshop: workshop.stage(stage, variant, share)


_ABLATION = {"published": "58.2 / 32.2", "no Q-Former": "56.9 / 33.4", "three layers": "49.7 / 31.0"}
_ABLATION |= {"Q-Former trained": "52.1 / 28.0"}
_COVERED = dict(zip(SHARES, ("1.62", "2.15", "2.26", "2.22"), strict=True))

CLAIMS = {
    "stages": Claim(
        title="Stage 2 makes the model talk well",
        text="MiniGPT-4, section 4.4: after stage 1 alone 35 % of the descriptions fail (repetitions, fragments, what has nothing to do "
        "with the picture), after stage 2 only 2 %. People counted; here `failure_rate` does. Its advanced requests, such as poems and recipes, "
        "have no counterpart in nano's world: questions stand for them, since neither stage trains any. nano's card has the same comparison, as nano was made.",
        column="failures, published",
        subjects=(
            Subject("stage 1", _stage(1), published="35 %"),
            Subject("stages 1 and 2", _stage(2), published="2 %"),
        ),
        directions=(
            Direction("failures", "stage 1", "stages 1 and 2", "lower", "failures fall from 35 % to 2 %"),
            Direction(
                "facts", "stage 1", "stages 1 and 2", "higher", "descriptions tell more of the picture (examples only)"
            ),
            Direction(
                "questions", "stage 1", "stages 1 and 2", "higher", "other requests are met better (examples only)"
            ),
        ),
    ),
    "shares": Claim(
        title="Half of stage 1 is enough",
        text="MiniGPT-4, later version: of five captions of each picture, the description covers 1.62 after 10 % of stage 1, 2.15 after 30 %, "
        "2.26 after 50 % and 2.22 after all of it, each followed by stage 2. Here: facts of the scene in the description.",
        column="captions covered of 5, published",
        subjects=tuple(Subject(f"{share:.0%}", _stage(2, share=share), published=_COVERED[share]) for share in SHARES),
        directions=(
            Direction("facts", "10%", "30%", "higher", "10 % to 30 %: more is covered (1.62, 2.15)"),
            Direction("facts", "30%", "50%", "higher", "30 % to 50 %: a little more (2.15, 2.26)"),
            Direction("facts", "50%", "100%", "same", "50 % to 100 %: hardly a difference (2.26, 2.22)"),
        ),
    ),
    "architecture": Claim(
        title="One linear layer after a frozen Q-Former",
        text="MiniGPT-4, section 4.5: multiple choice of A-OKVQA and GQA, all trained alike. Without the Q-Former the model is about as good, with "
        "three linear layers or a Q-Former that learns, too, it is worse. Here: questions answered right. Nano's Q-Former was supervised much "
        "more directly than BLIP-2's, and its language model was made for that Q-Former's output.",
        column="A-OKVQA / GQA, published",
        subjects=tuple(Subject(name, _stage(2, name), published=_ABLATION[name]) for name in VARIANTS),
        directions=(
            Direction(
                "questions",
                "published",
                "no Q-Former",
                "same",
                "without Q-Former: about the same (58.2, 56.9; 32.2, 33.4)",
            ),
            Direction(
                "questions", "published", "three layers", "lower", "three layers: lower (58.2, 49.7; 32.2, 31.0)"
            ),
            Direction(
                "questions",
                "published",
                "Q-Former trained",
                "lower",
                "Q-Former trained: lower (58.2, 52.1; 32.2, 28.0)",
            ),
        ),
    ),
    "identifiers": Claim(
        title="Task identifiers help",
        text="MiniGPT-v2, its ablation: a model that is trained and asked with `[vqa]`, `[refer]` and so on is better than one without. Here: "
        "nano-v2 with a new projection and LoRA, trained on all tasks of its stage 2 and asked for each. Its language model has never met "
        "the identifiers, but other words in their place; the wordings of most tasks differ without them, too.",
        column="published",
        subjects=tuple(
            Subject(
                f"{'with' if known else 'without'} identifiers",
                lambda workshop, known=known: workshop.with_identifiers(known),
                lambda model, scenes, known=known: measure_tasks(model, scenes, known),
                published="better" if known else "",
            )
            for known in (True, False)
        ),
        directions=(
            Direction("all tasks", "without identifiers", "with identifiers", "higher", "with identifiers: higher"),
        ),
    ),
}
