"""What tests of several folders import: where the repository is, files to test with, and programs that tests start."""

from pathlib import Path


ROOT = Path(__file__).parents[2]


def read_guide(name: str) -> str:
    """The text of a guide in docs/, as `read_guide("deploy")`."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
