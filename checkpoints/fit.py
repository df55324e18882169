"""The one rule for keys: weights fit a model if no key is missing, unexpected or of another shape."""

from collections.abc import Iterable, Mapping


def misfit(missing: Iterable[str] = (), unexpected: Iterable[str] = (), mismatched: Iterable[str | tuple] = ()) -> str:
    """
    What does not fit between weights and a model, in one line; empty if they fit.

    Args:
        missing (iterable of `str`): keys of the model that the weights lack.
        unexpected (iterable of `str`): keys of the weights that the model lacks.
        mismatched (iterable of `str` or `tuple`): keys of another shape; as transformers reports them, with both shapes.
    """
    problems = []
    for kind, found in (("missing", missing), ("unexpected", unexpected), ("of another shape", mismatched)):
        keys = sorted(key if isinstance(key, str) else key[0] for key in found)
        if keys:
            shown = ", ".join(keys[:3]) + (", …" if len(keys) > 3 else "")
            problems.append(f"{len(keys)} {kind} ({shown})")
    return "; ".join(problems)


def refuse_misfit(
    name: str,
    report: Mapping,
    *,
    new: tuple[str, ...] = (),
    dropped: tuple[str, ...] = (),
    advice: str = "save or convert it again",
) -> None:
    """
    Make sure that the weights matched the model exactly: `from_pretrained` initialises missing ones at random.

    Args:
        name (`str`): folder or Hub id.
        report (`dict`): from `from_pretrained(…, output_loading_info=True)`.
        new (`tuple[str, ...]`, *optional*): prefixes of keys that may be missing or of another shape.
        dropped (`tuple[str, ...]`, *optional*): prefixes of keys that may be unexpected.
        advice (`str`, *optional*): ends the message.

    Raises:
        ValueError: a key is missing, unexpected or of another shape.
    """
    found = misfit(
        [key for key in report["missing_keys"] if not key.startswith(new)],
        [key for key in report["unexpected_keys"] if not key.startswith(dropped)],
        [key for key in report["mismatched_keys"] if not (key if isinstance(key, str) else key[0]).startswith(new)],
    )
    if found:
        raise ValueError(f"the weights of {name} do not fit its configuration: {found}; {advice}")
