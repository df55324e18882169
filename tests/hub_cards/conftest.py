import json
from pathlib import Path

import pytest
from helpers import answers


@pytest.fixture
def pull(hub, stranger):
    """The answers of a model on the Hub, to a person who has not installed minigpt4 and is logged in there."""
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    program = Path(answers.__file__).read_text(encoding="utf-8")
    return lambda name: json.loads(stranger(program, name, **environment))
