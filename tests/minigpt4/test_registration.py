"""Whichever way people import things, the Auto classes know MiniGPT-4; and `import minigpt4` alone imports next to nothing."""

import subprocess
import sys

import pytest
from transformers import AutoConfig

from minigpt4.modeling_minigpt4 import MiniGPT4PreTrainedModel


def run(program: str, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize(
    "imports",
    [
        "import minigpt4\nfrom transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor",
        "from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor\nimport minigpt4",
        "from minigpt4 import MiniGPT4Processor as AutoProcessor\n"
        "from minigpt4 import MiniGPT4ForConditionalGeneration as AutoModelForImageTextToText",
        "import minigpt4.modeling_minigpt4.modeling_minigpt4\nimport transformers\n"
        "AutoModelForImageTextToText, AutoProcessor = transformers.AutoModelForImageTextToText, transformers.AutoProcessor",
        "import trl, peft, minigpt4\nfrom transformers import AutoModelForImageTextToText, AutoProcessor",
    ],
    ids=["before", "after", "own_classes", "submodule", "beside_trl"],
)
def test_a_checkpoint_loads(imports, tiny_checkpoint, request):
    program = (
        f"{imports}\nimport sys\n"
        "model = AutoModelForImageTextToText.from_pretrained(sys.argv[1])\n"
        "processor = AutoProcessor.from_pretrained(sys.argv[1])\n"
        "print(type(model).__name__, type(processor).__name__, type(processor.image_processor).__name__)\n"
    )
    # Where the libraries come first anyway, they may be imported already.
    start = request.getfixturevalue("fresh") if imports.startswith(("from transformers", "import trl")) else run
    result = start(program, str(tiny_checkpoint))
    assert result.returncode == 0, result.stderr
    assert result.stdout.split()[:2] == ["MiniGPT4ForConditionalGeneration", "MiniGPT4Processor"]
    assert result.stdout.split()[2].startswith("MiniGPT4ImageProcessor")
    assert "arning" not in result.stderr


def test_every_auto_class_of_llava_knows_it(tiny_checkpoint):
    import transformers
    from transformers import LlavaConfig

    ours, knowing = AutoConfig.from_pretrained(tiny_checkpoint), []
    for name, auto_class in vars(transformers.models.auto.modeling_auto).items():
        if name.startswith("AutoModel") and LlavaConfig in auto_class._model_mapping:
            knowing.append(name)
            assert isinstance(getattr(transformers, name).from_config(ours), MiniGPT4PreTrainedModel)
    assert {"AutoModel", "AutoModelForImageTextToText", "AutoModelForMultimodalLM", "AutoModelForPreTraining"} <= {
        *knowing
    }
