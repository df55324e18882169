"""Pickles from strangers: containers, texts and numbers, and nothing that runs."""

import pickle
from pathlib import Path


# What some protocols write by name; everything else plain has an opcode of its own.
ALLOWED = {
    ("collections", "OrderedDict"),
    *((module, name) for module in ("builtins", "__builtin__") for name in ("set", "frozenset")),
}


def read_plain_pickle(path: Path):
    """
    Read a pickle of lists, dicts, texts and numbers, as RefCOCO's annotations are.

    Raises:
        ValueError: it loads anything else, or is not a pickle.
    """
    try:
        with path.open("rb") as file:
            return _PlainUnpickler(file, encoding="utf-8").load()  # texts of Python 2 are bytes
    except _RefusedError as error:
        raise ValueError(
            f"{path} was not read: it {error}, and may hold lists, dicts, texts and numbers only."
        ) from None
    except Exception as error:  # whatever the opcodes of a broken file do
        raise ValueError(f"{path} is not a readable pickle: {error}") from error


class _RefusedError(Exception):
    pass


class _PlainUnpickler(pickle.Unpickler):
    def find_class(self, module, name):
        if (module, name) in ALLOWED:
            return super().find_class(module, name)
        raise _RefusedError(f"wants to load {module}.{name}")

    def persistent_load(self, pid):
        raise _RefusedError(f"refers to the object {pid!r:.60} outside the file")
