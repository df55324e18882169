"""Everything that becomes a Hub repository, and the checkpoints that the package carries."""

from minigpt4.lazy import lazy


TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..checkpoints.identity import is_adapter as is_adapter
    from .dataset_card import dataset_card as dataset_card
    from .embedded import nano_path as nano_path
    from .gathering import Upload as Upload
    from .gathering import gather_adapter as gather_adapter
    from .gathering import gather_model as gather_model
    from .merging import merge_adapter as merge_adapter
    from .pushing import push as push
    from .pushing import push_dataset as push_dataset
else:
    __all__ = lazy(__name__)
