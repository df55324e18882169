"""What the browser gets besides the components: every `page*.css` and `page*.js` in static/, and the icon."""

from importlib.resources import files
from pathlib import Path

from minigpt4.app.uploads import MAX_FILE_MEGABYTES


_STATIC = Path(str(files(__package__) / "static"))
ICON = _STATIC / "icon.svg"
_DESCRIPTION = "Talk with MiniGPT-4 about pictures: ask, have things found and named. Pictures stay on the machine that serves the page."


def style() -> str:
    """All style sheets of the page."""
    return _all("css")


def head() -> str:
    """What goes into the head of the page: its description and all its scripts, each in a scope of its own."""
    scripts = f"window.MAX_FILE_MEGABYTES = {MAX_FILE_MEGABYTES};\n{_all('js')}"
    return f'<meta name="description" content="{_DESCRIPTION}">\n<script>\n{scripts}\n</script>'


def _all(kind: str) -> str:
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted(_STATIC.glob(f"page*.{kind}")))
