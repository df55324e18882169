"""What the tests on transformers' own suite share."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
from transformers.models.auto import modeling_auto, processing_auto


HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # for `transformers_tests`, in processes that a test starts too
# Of the tests that transformers calls slow, those that need no GPU take seconds here.
os.environ.setdefault("RUN_SLOW", "1")

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

spec = importlib.util.spec_from_file_location("fetch_transformers_tests", HERE / "fetch.py")
fetch = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fetch)

collect_ignore = ["transformers_tests"]
missing = None
try:
    fetch.fetch()
except fetch.FetchError as error:
    # The rest of our tests can still run; test_harness.py fails with this line.
    missing = str(error)
    collect_ignore += ["test_modeling.py", "test_processing.py", "test_image_processing.py"]


def pytest_configure(config):
    for marker in MARKERS:
        config.addinivalue_line("markers", f"{marker}: put on tests by transformers' mixins")


@pytest.fixture
def sdist_error():
    """Why transformers' tests are not there: one line, or None."""
    return missing


@pytest.fixture
def fetcher(tmp_path, monkeypatch):
    """The module `fetch.py` with an empty cache, and a pip that knows no index but the folder `packages`."""
    monkeypatch.setattr(fetch, "CACHE", tmp_path / "cache")
    packages = tmp_path / "packages"
    packages.mkdir()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(packages))
    return fetch


@pytest.fixture(autouse=True, scope="module")
def listed_among_transformers_models():
    """The mixins look class names up in transformers' own tables, which registering does not touch.

    Without these entries labels are not made, and some tests pass without testing anything.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(modeling_auto.MODEL_MAPPING_NAMES, "minigpt4", "MiniGPT4Model")
        image_text_to_text = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
        patch.setitem(image_text_to_text, "minigpt4", "MiniGPT4ForConditionalGeneration")
        patch.setitem(processing_auto.PROCESSOR_MAPPING_NAMES, "minigpt4", "MiniGPT4Processor")
        yield
