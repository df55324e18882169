"""Published files with tiny weights, and what conversion makes of them."""

import sys
from pathlib import Path

import pytest


sys.path.insert(0, str(Path(__file__).parent))  # for `published` and `restatement`

from published import Published, write_published, write_tokenizer


@pytest.fixture(scope="session")
def tokenizer_model(tmp_path_factory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def shared_files(tmp_path_factory, tokenizer_model):
    """The files of a family, shared by the whole run: read them only."""
    made: dict[str, Published] = {}

    def files(family: str) -> Published:
        if family not in made:
            made[family] = write_published(tmp_path_factory.mktemp(family) / "files", family, tokenizer_model)
        return made[family]

    return files


@pytest.fixture(scope="session")
def converted(tmp_path_factory, shared_files):
    """The folder that a family's files become, shared by the whole run: read it only."""
    from minigpt4.conversion import convert

    made: dict[tuple, Path] = {}

    def folder(family: str, **kwargs) -> Path:
        key = (family, *kwargs.items())
        if key not in made:
            output = tmp_path_factory.mktemp("converted") / family
            made[key] = convert(family, **shared_files(family).arguments, output=output, **kwargs)
        return made[key]

    return folder


@pytest.fixture
def files(tmp_path, tokenizer_model):
    """New files of a family, to be changed."""
    return lambda family: write_published(tmp_path / "files", family, tokenizer_model)
