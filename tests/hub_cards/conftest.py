import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import answers


@pytest.fixture
def pull(hub, tmp_path):
    """The answers of a model on the Hub, to a person who has not installed minigpt4 and is logged in there."""
    home = {"HF_HOME": str(tmp_path / "hf"), "HF_MODULES_CACHE": str(tmp_path / "hf" / "modules")}
    environment = {"HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", **home}
    not_installed = "import sys; sys.modules['minigpt4'] = None"
    program = f"{not_installed}\n{Path(answers.__file__).read_text(encoding='utf-8')}"

    def pulled(name: str):
        command = [sys.executable, "-c", program, name]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return pulled
