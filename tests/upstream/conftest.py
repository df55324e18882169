"""Make transformers' own model tests importable here as the package `transformers_tests`.

The sdist's `tests/` folder has no fixed place and would collide with our own `tests/`, so it gets a name of its own.
What the sdist leaves out is looked up in `left_out/`. The counts of the suite are printed at the end of a run.
"""

import gc
import importlib
import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
import transformers.utils
from transformers.models.auto import modeling_auto, processing_auto

import minigpt4


HERE = Path(__file__).parent
SUITE = ["test_modeling.py", "test_processing.py", "test_image_processing.py"]
# Markers that the mixins put on their tests; the sdist's own list of them is in a file for its repository.
MARKERS = [
    "accelerate_tests",
    "flash_attn_test",
    "flash_attn_3_test",
    "flash_attn_4_test",
    "all_flash_attn_test",
    "generate",
    "is_expert_parallel_test",
    "is_fsdp_test",
    "is_pipeline_test",
    "is_tensor_parallel_test",
    "is_training_test",
    "slow",
    "torch_compile_test",
]


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fetch = load("fetch_transformers_tests", HERE / "fetch.py")
collect_ignore = ["left_out"]
missing = None
try:
    tests = fetch.fetch() / "tests"
except fetch.FetchError as error:
    # The rest of our tests can still run; test_harness.py fails with this line.
    missing = str(error)
    collect_ignore += SUITE
else:
    package = ModuleType("transformers_tests")
    package.__path__ = [str(tests), str(HERE / "left_out")]
    sys.modules["transformers_tests"] = package
    # The mixins import it by this name from a folder that they put on the path themselves.
    sys.modules["fetch_hub_objects_for_ci"] = load("fetch_hub_objects_for_ci", HERE / "left_out" / "hub_objects.py")
    with pytest.MonkeyPatch.context() as patch:
        # The mixins take classes by name from a second copy of transformers, which they load from sources beside the
        # tests: they get the installed one, and our classes.
        classes = ModuleType("transformers")
        classes.__getattr__ = lambda name: getattr(minigpt4 if name.startswith("MiniGPT4") else transformers, name)
        patch.setattr(transformers.utils, "direct_transformers_import", lambda *args, **kwargs: classes)
        # The pipeline tests read a list of the Hub's tiny checkpoints; ours is made by test_modeling.py.
        patch.setenv("TRANSFORMERS_TINY_MODEL_PATH", str(HERE / "left_out" / "tiny_models"))
        importlib.import_module("transformers_tests.test_configuration_common")
        pipelines = importlib.import_module("transformers_tests.test_pipeline_mixin")
    pipelines.pipeline_test_mapping["image-text-to-text"] = {
        "test": "transformers_tests.pipelines.image_text_to_text.ImageTextToTextPipelineTests"
    }


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", f"{marker}: put on tests by transformers' mixins")


@pytest.fixture
def sdist_error():
    """Why the sdist is not there: one line, or None."""
    return missing


@pytest.fixture(autouse=True, scope="module")
def quick_garbage_collection():
    """The mixins collect garbage around each test: what was imported before need not be looked through each time."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True, scope="module")
def listed_among_transformers_models():
    """The mixins look class names up in transformers' own tables, which registering does not touch.

    Without these entries labels are not made, and some tests pass without testing anything.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(modeling_auto.MODEL_MAPPING_NAMES, "minigpt4", "MiniGPT4Model")
        patch.setitem(processing_auto.PROCESSOR_MAPPING_NAMES, "minigpt4", "MiniGPT4Processor")
        image_text_to_text = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
        patch.setitem(image_text_to_text, "minigpt4", "MiniGPT4ForConditionalGeneration")
        yield


def pytest_terminal_summary(terminalreporter):
    """How much of transformers' suite ran, and why the rest did not."""
    here = HERE.relative_to(terminalreporter.config.rootpath).as_posix()
    counts, reasons = Counter(), Counter()
    for outcome in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(outcome, []):
            if getattr(report, "nodeid", "").startswith(here) and "test_harness.py" not in report.nodeid:
                counts[outcome] += 1
                if outcome == "skipped":
                    reasons[report.longrepr[2].removeprefix("Skipped: ")] += 1
    if not counts:
        return
    terminalreporter.section("transformers' own suite on MiniGPT-4")
    terminalreporter.line(" · ".join(f"{counts[outcome]} {outcome}" for outcome in ("passed", "failed", "skipped")))
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5}  {reason}")
