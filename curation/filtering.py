"""The fourth step: rules drop rows. What each rule measures is kept, and so is the reason of each drop."""

import re
from collections.abc import Iterator
from typing import Any

from minigpt4.evaluation.scoring.failure_rate import FAILURES, failures
from minigpt4.processing.image_loading import load_image

from .leftovers import leftovers
from .recipe import Filter
from .restoring import restored_rows
from .sources import picture_path
from .table import DROP, Entry, Row, details, entry
from .work import Work


def work(work: Work) -> None:
    """Measure each row; what is decided by all rows together is decided in `settled`."""
    section: Filter = work.section
    score = None
    if section.score is not None:
        from .image_text_score import ImageTextScore

        score = ImageTextScore(section.score.model, work.trust_remote_code)
    for rows in work.batches(section.score.batch_size if section.score else 32):
        texts = [work.table.text(row, "filter") or "" for row in rows]
        images = [load_image(picture_path(work.root, row["image"])) for row in rows] if _sees(section) else []
        measured: list[dict[str, Any]] = [_measure(row, text, work) for row, text in zip(rows, texts, strict=True)]
        if section.similar_images is not None:
            import imagehash

            for one, image in zip(measured, images, strict=True):
                one["image_hash"] = str(imagehash.phash(image))
        if score is not None:
            for one, value in zip(measured, score(images, texts), strict=True):
                one["score"] = value
        work.journal.write({"id": row["id"], "measured": one} for row, one in zip(rows, measured, strict=True))


def settled(work: Work, lines: dict[str, dict]) -> dict[str, Entry]:
    """The decision about each row, from what was measured; duplicates are sought among the rows that no rule drops."""
    from .duplicates import similar_images, similar_texts

    section: Filter = work.section
    rows = work.table.arriving("filter")
    measured = {
        row["id"]: lines[row["id"]]["measured"] if row["id"] in lines else details(row["filter"]) for row in rows
    }
    reasons = {row["id"]: list(_broken_rules(measured[row["id"]], section)) for row in rows}
    kept = [row["id"] for row in rows if not reasons[row["id"]]]
    copies: dict[str, str] = {}
    if section.similar_images is not None:
        copies = similar_images({name: measured[name]["image_hash"] for name in kept}, section.similar_images)
        for name in copies:
            reasons[name].append("similar image")
    kept = [name for name in kept if not reasons[name]]
    if section.similar_texts is not None:
        texts = {row["id"]: work.table.text(row, "filter") or "" for row in rows}
        found = similar_texts({name: texts[name] for name in kept}, section.similar_texts)
        copies |= found
        for name in found:
            reasons[name].append("similar text")
    restored = restored_rows(work.table.folder)
    return {
        name: entry(
            None,
            "keep" if not why else "restored" if name in restored else DROP,
            reason=", ".join(why),
            **_without_copy(measured[name]),
            **({"like": copies[name]} if name in copies else {}),
        )
        for name, why in reasons.items()
    }


def _sees(section: Filter) -> bool:
    return section.similar_images is not None or section.score is not None


def _measure(row: Row, text: str, work: Work) -> dict[str, Any]:
    """What the rules need to know of one row. A mended text has been finished by its mender."""
    mended = row["mend"] is not None and row["mend"]["text"] is not None
    last = next((row[step] for step in ("continue", "generate") if row[step] and row[step]["text"] is not None), None)
    finished = mended or details(last).get("finished", True)
    return {
        "failures": failures(text, finished=finished, language=work.recipe.language),
        "leftovers": leftovers(text),
        "words": len(re.findall(r"\w+", text)),
    }


def _broken_rules(measured: dict[str, Any], section: Filter) -> Iterator[str]:
    wanted = FAILURES if section.failures is True else section.failures or ()
    yield from (name.replace("_", " ") for name in measured["failures"] if name in wanted)
    if section.leftovers:
        yield from (f"leftover {name}" for name in measured["leftovers"])
    if section.min_words is not None and measured["words"] < section.min_words:
        yield "too short"
    if section.max_words is not None and measured["words"] > section.max_words:
        yield "too long"
    if section.score is not None and measured["score"] < section.score.at_least:
        yield "low score"


def _without_copy(measured: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in measured.items() if key != "like"}
