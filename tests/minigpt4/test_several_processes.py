"""Two processes share the work of a command, and what comes out is that of one. (Evaluation, curation and training have tests of their own.)"""

import json

import torch
from helpers import ROOT
from PIL import Image
from safetensors.torch import load_file


def test_describing_and_caching_features(fresh, tiny_checkpoint, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    lines = []
    for number in range(5):
        Image.new("RGB", (28, 28), (50 * number, 40, 200)).save(pictures / f"{number}.png")
        lines.append(json.dumps({"file_name": f"{number}.png", "text": "a picture"}))
    (pictures / "metadata.jsonl").write_text("\n".join(lines))
    jobs = []
    for processes in (1, 2):
        settings = {
            "data": pictures,
            "model_name_or_path": tiny_checkpoint,
            "features": tmp_path / f"features{processes}",
        }
        settings |= {"bf16": "false", "disable_tqdm": "true"}
        recipe = ["stage1", *(word for name, value in settings.items() for word in ("--set", f"{name}={value}"))]
        answering = [
            "describe",
            pictures,
            "--model",
            tiny_checkpoint,
            "--json",
            "--batch-size",
            2,
            "--max-new-tokens",
            4,
        ]
        for arguments in (answering, ["cache-features", *recipe]):
            output = tmp_path / f"{arguments[0]}{processes}"
            jobs.append({"processes": processes, "arguments": [*map(str, arguments)], "output": str(output)})
    done = fresh(ROOT / "tests/helpers/separate_commands.py", json.dumps(jobs))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [[0], [0], [0, 0], [0, 0]], done.stderr

    answers = [sorted((tmp_path / f"describe{processes}").read_text().splitlines()) for processes in (1, 2)]
    assert len(answers[0]) == 5
    assert answers[0] == answers[1]
    one, two = (read(tmp_path / f"features{processes}") for processes in (1, 2))
    assert len(one) == 5
    assert one.keys() == two.keys()
    assert all(torch.allclose(two[key], one[key], atol=1e-6) for key in one)
    assert len(list((tmp_path / "features2").glob("*.safetensors"))) == 2  # each made a part


def read(folder):
    return {key: tensor for file in folder.glob("*.safetensors") for key, tensor in load_file(file).items()}
