"""Making data for stage 2: a model describes pictures, the texts are continued, mended, filtered, reviewed and exported."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .exporting import Exported as Exported
    from .exporting import export as export
    from .recipe import Recipe as Recipe
    from .recipe import read_recipe as read_recipe
    from .restoring import restore as restore
    from .sharding import merge as merge
    from .steps import run as run
    from .table import Table as Table
else:
    __all__ = lazy(__name__)
