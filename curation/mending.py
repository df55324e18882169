"""The third step: a language model mends each text, and its reply replaces the text if it passes checks."""

from collections.abc import Iterator
from typing import Any

from tqdm.auto import tqdm

from minigpt4.inference.endpoint import Endpoint, LanguageModel, Reply

from . import rule_mender
from .checks import refusal
from .recipe import Mend
from .table import Entry, entry
from .work import Work


KEPT = "kept as it was"


def work(work: Work) -> None:
    """Mend the texts. Where a reply fails, or there is none, the row is marked and its text kept."""
    section: Mend = work.section
    mender = None if section.rules else _language_model(work)
    # An endpoint is asked about all of them at once; the batches of a local model are always the same.
    groups = work.batches(section.batch_size) if section.endpoint is None else [work.todo()]
    for rows in groups:
        texts = [work.table.text(row, "mend") or "" for row in rows]
        made = zip(rows, texts, _replies(mender, section.prompt, texts), strict=True)
        for row, text, reply in made if section.endpoint is None else tqdm(made, "mend", len(rows), disable=None):
            work.write({row["id"]: _mended(text, reply, work)})


def _replies(mender: LanguageModel | None, prompt: str, texts: list[str]) -> Iterator[Reply]:
    if mender is None:
        return (Reply(rule_mender.mend(text), rule_mender.NAME) for text in texts)
    # The text is a message of its own: whatever it says is what is to be mended, and not part of the instruction.
    return mender.replies([{"role": "system", "content": prompt}, {"role": "user", "content": text}] for text in texts)


def _mended(text: str, reply: Reply, work: Work) -> Entry:
    section: Mend = work.section
    asked = {"model": reply.model, "prompt": "" if section.rules else section.prompt}
    known: dict[str, Any] = (
        {} if section.rules else {"tokens_in": reply.prompt_tokens, "tokens_out": reply.completion_tokens}
    )
    if reply.cached:
        known = {"cached": True}
    made = reply.text.strip()
    if reply.error:
        return entry(None, KEPT, reason="no reply", error=reply.error, **asked, **known)
    if made == text:
        return entry(None, "already correct", **asked, **known)
    if why := refusal(text, made, section.checks, work.recipe.language, reply.finished):
        return entry(None, KEPT, reason=why, reply=made, **asked, **known)
    return entry(made, "mended", **asked, **known)


def _language_model(work: Work) -> LanguageModel:
    section: Mend = work.section
    assert section.model is not None
    if section.endpoint is None:
        from minigpt4.inference.local_language_model import LocalLanguageModel

        limits = {"batch_size": section.batch_size, "max_new_tokens": section.max_new_tokens}
        return LocalLanguageModel(section.model, **limits, **section.settings)
    return Endpoint(
        section.model,
        section.endpoint,
        key_variable=section.key_variable,
        concurrency=section.concurrency,
        retries=section.retries,
        timeout=section.timeout,
        requests_per_minute=section.requests_per_minute,
        cache=work.table.folder / "replies.sqlite",
        **section.settings,
    )
