"""What tests of several folders import: where the repository is, files to test with, and programs that tests start."""

from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]
needs_v2 = pytest.mark.skipif(
    not (ROOT / "hub_cards/nano-v2/model.safetensors").is_file(), reason="the package has no nano-v2 yet"
)


def read_guide(name: str) -> str:
    """The text of a guide in docs/, as `read_guide("deploy")`."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
