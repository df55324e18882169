"""A Hub on this machine, and a person who is logged in there."""

import importlib.util
import os
from pathlib import Path

import huggingface_hub
import pytest
import transformers.utils.hub
from huggingface_hub import constants


# Not `import`: folders of tests are no packages here.
spec = importlib.util.spec_from_file_location("loopback_hub", Path(__file__).with_name("loopback_hub.py"))
loopback_hub = importlib.util.module_from_spec(spec)
spec.loader.exec_module(loopback_hub)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """The client of this process talks to it, and sends large files by LFS."""
    server = loopback_hub.LoopbackHub()
    monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", loopback_hub.TOKEN)
    monkeypatch.setattr(transformers.utils.hub, "_hf_api", None)  # it keeps its address
    huggingface_hub.close_session()  # the one that was made offline
    yield server
    server.close()
    huggingface_hub.close_session()


@pytest.fixture
def environment(hub, tmp_path) -> dict[str, str]:
    """For another process, of a person whose machine holds nothing of ours."""
    return os.environ | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
