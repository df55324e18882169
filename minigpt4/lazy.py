"""Packages that import their public names when they are first used, so that importing a package costs next to nothing."""

import sys
from importlib import import_module
from types import ModuleType


class LazyPackage(ModuleType):
    """A package that knows where its public names live: `homes` maps each to a file, as in `from .file import name`."""

    homes: dict[str, str]

    def __getattr__(self, name: str):
        if name in self.homes:
            value = getattr(import_module(self.homes[name], self.__name__), name)
            setattr(self, name, value)
            return value
        if f".{name}" in self.homes.values():
            return import_module(f".{name}", self.__name__)
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __setattr__(self, name: str, value) -> None:
        if name in self.homes and isinstance(value, ModuleType):
            value = getattr(value, name)  # Python's import sets `convert.py` where `convert` of that file is public
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.homes})


def lazy(package: str) -> list[str]:
    """
    Makes public what `package` imports under `if TYPE_CHECKING:`, line by line as `from .file import name as name`.

    Those lines are the only list: type checkers see them, and here they are read, as transformers reads its own files.

    Args:
        package (`str`): `__name__` of a package, while its `__init__.py` runs.

    Returns:
        `list[str]`: the public names, for `__all__`.
    """
    module = sys.modules[package]
    vars(module)["homes"] = homes = {}
    module.__class__ = LazyPackage
    source = module.__spec__.loader.get_data(module.__file__).decode()  # type: ignore[union-attr]
    for line in source.splitlines():
        match line.split():
            case ["from", home, "import", name, "as", public] if name == public and home.startswith("."):
                homes[name] = home
    return [*homes]
