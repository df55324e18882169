"""transformers' own tests, as fetched into `.cache`, under a name that does not collide with our `tests` folder.

The modules in this folder stand in for what the sdist leaves out. Importing the package makes the sdist's modules
importable: they expect to lie in a checkout of transformers.
"""

import sys
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

import transformers.utils

import minigpt4


HERE = Path(__file__).parent

__path__.insert(0, str(HERE.parent / ".cache" / version("transformers") / "tests"))

from . import hub_objects  # noqa: E402 (found by the path above)


# They import it by this name, from a folder that they put on the path themselves.
sys.modules["fetch_hub_objects_for_ci"] = hub_objects

# They take classes by name from a second copy of transformers, which they load from sources beside the tests: let them
# have the installed one, and ours.
_classes = ModuleType("transformers")
_classes.__getattr__ = lambda name: getattr(minigpt4 if name.startswith("MiniGPT4") else transformers, name)
# The pipeline tests read a list of the Hub's tiny checkpoints; ours is made by test_modeling.py.
_tiny_models = patch.dict("os.environ", TRANSFORMERS_TINY_MODEL_PATH=str(HERE / "tiny_models"))
with patch.object(transformers.utils, "direct_transformers_import", lambda *args, **kwargs: _classes), _tiny_models:
    from . import test_configuration_common, test_pipeline_mixin  # noqa: F401

test_pipeline_mixin.pipeline_test_mapping["image-text-to-text"] = {
    "test": "transformers_tests.pipelines.image_text_to_text.ImageTextToTextPipelineTests"
}
