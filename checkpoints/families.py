"""The three published families: facts that their files do not state. What a family decides is saved in the converted folder."""

from dataclasses import dataclass, field

from minigpt4.processing.tasks import TASKS


@dataclass(frozen=True)
class Family:
    """
    What the published models of one family have in common.

    Args:
        title (`str`): what to call the model.
        image_size (`int`, *optional*): pixels of a side; `None`: what the vision tower reads.
        qformer (`bool`): whether BLIP-2's Q-Former stands before the projection; else 4 patches are merged into one token.
        paper (`str`): Markdown link to the paper.
        licence (`str`): of the published language model.
        license (`str`): what the Hub calls that licence.
        training (`str`): how the published checkpoint was trained, for the card.
        stop_strings (`tuple[str, ...]`): what ends an answer, besides the language model's own end. Their ids are saved.
        lora_alpha (`int`, *optional*): scale of the LoRA in the checkpoint; `None` where the family has none.
        generation (`dict`): defaults of the published demo.
        task_identifiers (`tuple[str, ...]`): task identifiers that an instruction can begin with.
        answer_start (`str`): after which of the chat template's words an answer begins.
    """

    title: str
    image_size: int | None
    qformer: bool
    paper: str
    licence: str
    license: str
    training: str
    stop_strings: tuple[str, ...] = ()
    lora_alpha: int | None = None
    generation: dict = field(default_factory=dict)
    task_identifiers: tuple[str, ...] = ()
    answer_start: str = "[/INST]"


MINIGPT_4 = "[MiniGPT-4](https://huggingface.co/papers/2304.10592)"
MINIGPT_V2 = "[MiniGPT-v2](https://huggingface.co/papers/2310.09478)"
LORA_ALPHA = 16
# The demo of MiniGPT-4 samples like this.
SAMPLING = {
    "do_sample": True,
    "temperature": 1.0,
    "top_p": 0.9,
    "repetition_penalty": 1.05,
    "num_beams": 1,
    "max_new_tokens": 300,
}

# A family's name is also that of its chat template.
FAMILIES = {
    "vicuna": Family(
        "MiniGPT-4 (Vicuna)",
        image_size=224,
        qformer=True,
        paper=MINIGPT_4,
        licence="Vicuna v0: that of LLaMA, for research and not for commerce",
        license="other",
        training="The projection was trained, and nothing else: the vision tower, the Q-Former and the language model were "
        "frozen. Stage 1: pictures with captions of LAION, Conceptual Captions and SBU, about 5 million pairs. Stage 2: "
        "3,439 detailed descriptions.",
        stop_strings=("###",),
        generation=SAMPLING,
        answer_start="###Assistant:",
    ),
    "llama2": Family(
        "MiniGPT-4 (LLaMA-2-Chat)",
        image_size=224,
        qformer=False,
        paper=MINIGPT_4,
        licence="LLaMA 2 Community License",
        license="llama2",
        training="The projection was trained, and nothing else: the vision tower and the language model were frozen. Stage 1: "
        "pictures with captions of LAION, Conceptual Captions and SBU. Stage 2: 3,439 detailed descriptions.",
        generation=SAMPLING,
    ),
    "v2": Family(
        "MiniGPT-v2",
        image_size=448,
        qformer=False,
        paper=MINIGPT_V2,
        licence="LLaMA 2 Community License",
        license="llama2",
        training="The projection was trained, and LoRA (rank 64) on queries and values of the language model; the vision "
        "tower was frozen.",
        lora_alpha=LORA_ALPHA,
        generation=SAMPLING | {"temperature": 0.6, "max_new_tokens": 500},
        task_identifiers=tuple(TASKS),
    ),
}
"""The published models by family: `vicuna`, `llama2` and `v2`."""

OWN_CHAT = "own"
"""What `--chat` calls the language model's own chat form."""

# A model of none of the families, put together of parts that each have a licence of their own.
OTHER = Family(
    "MiniGPT-4",
    image_size=None,
    qformer=False,
    paper=MINIGPT_4,
    licence="its own",
    license="other",
    training="",
    generation={"max_new_tokens": 300},
)


def get_family(name: str) -> Family:
    """
    The family called `name`.

    Raises:
        ValueError: an unknown family.
    """
    if name not in FAMILIES:
        raise ValueError(f"Unknown family {name!r}: choose one of {', '.join(FAMILIES)}.")
    return FAMILIES[name]
