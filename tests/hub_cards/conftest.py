import os

import pytest


@pytest.fixture
def environment(hub, tmp_path) -> dict[str, str]:
    """For another process, of a person who is logged in on the Hub and whose machine holds nothing of ours."""
    return os.environ | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(tmp_path / "hf"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
