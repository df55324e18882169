"""The published files <-> complete folders: convert, verify, export, assemble."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..checkpoints.families import FAMILIES as FAMILIES
    from ..checkpoints.families import Family as Family
    from ..checkpoints.families import get_family as get_family
    from .assemble import assemble as assemble
    from .convert import convert as convert
    from .export import export as export
    from .verify import print_report as print_report
    from .verify import verify as verify
else:
    __all__ = lazy(__name__)
