"""MkDocs hooks: which files of the repository are pages, and the API reference from the docstrings."""

import ast
import inspect
import re
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import get_plugin_logger
from mkdocs.structure.files import File, Files


log = get_plugin_logger(__name__)

ROOT = Path(__file__).parents[1]
PAGES = ["*.md", "docs/*.md", "docs/*.png", "hub_cards/nano*/README.md", "benchmarks/README.md", "benchmarks/*.png"]
MODULES = [
    "minigpt4",
    "minigpt4.processing",
    "minigpt4.training",
    "minigpt4.curation",
    "minigpt4.conversion",
    "minigpt4.evaluation.tasks",
    "minigpt4.evaluation.running",
    "minigpt4.evaluation.scenes",
    "minigpt4.evaluation.scenes.boxed",
    "minigpt4.hub_cards",
]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The reference in the navigation has a page of each module."""
    [section] = [entry for entry in config.nav if "Reference" in entry]
    section["Reference"] = [{module: f"reference/{module}.md"} for module in MODULES]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Pages keep their paths in the repository, so that their links work there and on the site."""
    for file in [file for file in files if file.src_dir == config.docs_dir]:
        files.remove(file)
    for path in sorted(path for pattern in PAGES for path in ROOT.glob(pattern)):
        name = path.relative_to(ROOT).as_posix()
        files.append(File(name, str(ROOT), config.site_dir, config.use_directory_urls))
    for module in MODULES:
        files.append(File.generated(config, f"reference/{module}.md", content=reference(module)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Attributes after the language of a block are for the tests of the guides; Markdown would not see the block."""
    return re.sub(r"^```(\w+) .+$", r"```\1", markdown, flags=re.MULTILINE)


def reference(module: str) -> str:
    """The page of a module: its docstring, and every public name that no earlier module has."""
    shown = {name for before in MODULES[: MODULES.index(module)] for name in public_names(before)}
    doc = ast.get_docstring(ast.parse(Path(find_spec(module).origin).read_text(encoding="utf-8")))
    names = {name: path for name, path in public_names(module).items() if name not in shown}
    blocks = [
        f"::: {path}\n    options: {{heading: {module}.{name}, toc_label: {name}}}" for name, path in names.items()
    ]
    return "\n\n".join([f"# {module}", doc, *blocks])


def public_names(module: str) -> dict[str, str]:
    """The names in `__all__` without submodules, and griffe's path of each: a file hides a function of its name."""
    names, home = {}, import_module(module)
    for name in sorted(home.__all__, key=str.casefold):
        if not find_spec(f"{module}.{name}"):
            names[name] = f"{module}.{name}"
        elif inspect.isfunction(getattr(home, name)):
            names[name] = f"{module}.{name}.{name}"
    names.pop("__version__", None)
    return names


class TransformersDocstrings(griffe.Extension):
    """Docstrings of transformers' dialect, read as Google's: the two differ in the types of arguments and in links."""

    def __init__(self) -> None:
        self.homes = {name: path for module in reversed(MODULES) for name, path in public_names(module).items()}

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        if obj.docstring:
            # Their defaults are shown as the signature has them.
            shown = obj.is_function or (
                obj.is_class and any("dataclass" in str(decorator.value) for decorator in obj.decorators)
            )
            obj.docstring.value = self.linked(plain_types(obj.docstring.value, without_defaults=shown))

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """A public name without a docstring is a warning, which `--strict` turns into an error."""
        for path in self.homes.values():
            try:
                documented = pkg[path.removeprefix(f"{pkg.path}.")].has_docstring
            except KeyError:
                log.warning(f"{path} is public at run time only: import it under TYPE_CHECKING, too")
            else:
                if not documented:
                    log.warning(f"{path} is public and has no docstring")

    def linked(self, text: str) -> str:
        """[`draw`] and [`~minigpt4.processing.draw`] link to the reference where it has that name."""

        def link(match: re.Match[str]) -> str:
            name = match[1].rpartition(".")[2]
            return f"[`{name}`][{self.homes[name]}]" if name in self.homes else f"`{match[1]}`"

        return re.sub(r"\[`~?([\w.]+)`\](?![(\[])", link, text)


def plain_types(text: str, without_defaults: bool) -> str:
    """``size (`int`, *optional*): …`` becomes ``size (int, optional): …``, which Google's style shows as code."""

    def plain(match: re.Match[str]) -> str:
        return re.sub(r"[`*]", "", match[0])

    if without_defaults:
        text = re.sub(r", \*optional\*, defaults to (?:`.*?`|[\d.,e+-]+)(?=\):\s)", "", text)
    text = re.sub(r"^ +[\w, *]+ \(.*?\):(?=\s)", plain, text, flags=re.MULTILINE)
    return re.sub(r"(?<=^Returns:\n) +`.*?`(?:, \*optional\*)?:", plain, text, flags=re.MULTILINE)
