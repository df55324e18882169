"""The tasks that MiniGPT-v2 knows by an identifier in square brackets, and the published wordings of each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Task:
    """
    How one task is worded; `{}` stands for words or for a box. Each wording begins with the identifier.

    Args:
        forms (`tuple[str, ...]`): what the published training draws from.
        asked (`str`): how the paper and its demo ask for it.
        default (`str`, defaults to `""`): stands for `{}` of `asked` where a person gives no words.
    """

    forms: tuple[str, ...]
    asked: str
    default: str = ""

    @property
    def form(self) -> str:
        """`asked`, with `{}` for words or a box only where there is no default."""
        return self.asked.replace("{}", self.default or "{}")


def _task(identifier: str, *forms: str, asked: str, default: str = "") -> Task:
    return Task(tuple(f"[{identifier}] {form}" for form in forms), f"[{identifier}] {asked}", default)


TASKS = {
    "vqa": _task(
        "vqa",
        "{}",
        "Based on the image, respond to this question with a short answer: {}",
        asked="Based on the image, respond to this question with a short answer: {}",
    ),
    "caption": _task(
        "caption",
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
        asked="{}",
        default="Briefly describe this image.",
    ),
    "grounding": _task(
        "grounding",
        "please describe this image in details",
        "describe this image as detailed as possible",
        "summarize this image in details",
        "give a thorough description of what you see in this image",
        asked="{}",
        default="please describe this image in details",
    ),
    "refer": _task(
        "refer",
        "{}",
        "give me the location of {}",
        "where is {} ?",
        "from this image, tell me the location of {}",
        "the location of {} is",
        "could you tell me the location for {} ?",
        "where can I locate the {} ?",
        asked="give me the location of {}",
    ),
    "identify": _task(
        "identify",
        "{}",
        "what object is in this location {}",
        "identify the object present at this location {}",
        "what is it in {}",
        "describe this object in {}",
        "this {} is",
        "the object in {} is",
        asked="what is this {}",
    ),
    "detection": _task("detection", "{}", asked="{}"),
}
"""By identifier, as `task_identifiers` of the published MiniGPT-v2 lists them."""
