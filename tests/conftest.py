"""What tests of several folders share."""

import os


os.environ.setdefault("HF_HUB_OFFLINE", "1")
# Here and in the processes that tests start: on models as small as these a second thread costs more than it gains, and
# the second core has tests of its own under pytest-xdist. torch reads this when it is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
import random
from pathlib import Path

import pytest
from helpers import loopback_hub
from helpers.commands import command, deployed  # noqa: F401
from helpers.fresh import fresh, stranger  # noqa: F401
from helpers.memory import memory_of_large_pictures  # noqa: F401
from helpers.signals import hear_ctrl_c
from tokenizers import Tokenizer
from tokenizers.models import BPE
from upstream import summary


TINY_IMAGE_SIZE = 28
TINY_NUM_QUERY_TOKENS = 4


def pytest_configure(config):
    config.pluginmanager.register(summary)
    hear_ctrl_c()


def pytest_collection_finish():
    """The libraries are imported: nobody who collects garbage needs to look through them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory) -> Path:
    """Folder of a complete, seeded, untrained MiniGPT-4 with a Q-Former and the vicuna chat form: it answers nonsense.

    Shared by the whole run: copy it before you change it.
    """
    import torch
    from transformers import GenerationConfig

    from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration, MiniGPT4ImageProcessorPil, MiniGPT4Processor
    from minigpt4.modeling_minigpt4.ends_minigpt4 import end_sequences
    from minigpt4.processing.templates import chat_template
    from minigpt4.processing.tokenization import exact_tokenizer

    folder = tmp_path_factory.mktemp("tiny") / "checkpoint"
    tokenizer = exact_tokenizer(_letters(), pad_token="<pad>")
    config = MiniGPT4Config(
        vision_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": TINY_IMAGE_SIZE,
            "patch_size": 14,
            "initializer_range": 0.3,
        },
        qformer_config={
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "initializer_range": 0.3,
        },
        text_config={
            "model_type": "llama",
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "max_position_embeddings": 1024,
            "initializer_range": 0.5,  # far enough from uniform that answers differ from picture to picture
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        },
        num_query_tokens=TINY_NUM_QUERY_TOKENS,
        image_token_id=tokenizer.convert_tokens_to_ids("<ImageHere>"),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MiniGPT4ForConditionalGeneration(config)
    model.generation_config = GenerationConfig(
        do_sample=False,
        max_new_tokens=12,
        end_sequences=end_sequences(tokenizer, ["###"]),
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    MiniGPT4Processor(
        image_processor=MiniGPT4ImageProcessorPil(size={"height": TINY_IMAGE_SIZE, "width": TINY_IMAGE_SIZE}),
        tokenizer=tokenizer,
        chat_template=chat_template("vicuna"),
        num_image_tokens=TINY_NUM_QUERY_TOKENS,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_v2_checkpoint(tmp_path_factory, tiny_checkpoint) -> Path:
    """Folder of a complete, seeded, untrained MiniGPT-v2: four patches a token, its chat form and tasks.

    Shared by the whole run: copy it before you change it.
    """
    import torch

    from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration, MiniGPT4Processor
    from minigpt4.processing.tasks import TASKS
    from minigpt4.processing.templates import chat_template

    folder = tmp_path_factory.mktemp("tiny-v2") / "checkpoint"
    tiny, config = MiniGPT4Processor.from_pretrained(tiny_checkpoint), MiniGPT4Config.from_pretrained(tiny_checkpoint)
    config = MiniGPT4Config(
        vision_config=config.vision_config.to_dict(),
        qformer_config=None,
        token_merge_size=4,
        text_config=config.text_config.to_dict(),
        image_token_id=config.image_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = MiniGPT4ForConditionalGeneration(config)
    ids = {name: getattr(tiny.tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    model.generation_config.update(do_sample=False, max_new_tokens=12, **ids)
    model.save_pretrained(folder)
    MiniGPT4Processor(
        tiny.image_processor,
        tiny.tokenizer,
        chat_template=chat_template("v2"),
        num_image_tokens=config.num_image_tokens,
        stop_strings=[tiny.tokenizer.eos_token],
        task_identifiers=tuple(TASKS),
        answer_starts=["[/INST]"],
    ).save_pretrained(folder)
    return folder


def _letters() -> Tokenizer:
    """A tokenizer with one token for each printable ASCII character, and bytes for everything else."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁"]
    pieces += [chr(code) for code in range(33, 127)]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    return Tokenizer(BPE(vocab=vocabulary, merges=[], unk_token="<unk>", fuse_unk=True, byte_fallback=True))


@pytest.fixture
def picture(tmp_path) -> Path:
    """A PNG file of coloured noise."""
    from PIL import Image

    path = tmp_path / "picture.png"
    Image.frombytes("RGB", (40, 30), random.Random(0).randbytes(40 * 30 * 3)).save(path)
    return path


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A Hub on this machine: the client of this process talks to it, is logged in there, and sends large files by LFS."""
    import huggingface_hub
    import transformers.utils.hub
    from huggingface_hub import constants

    server = loopback_hub.LoopbackHub()
    settings = {
        "ENDPOINT": server.endpoint,
        "HUGGINGFACE_CO_URL_TEMPLATE": server.endpoint + "/{repo_id}/resolve/{revision}/{filename}",
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "HF_HUB_OFFLINE": False,
        "HF_HUB_DISABLE_XET": True,
    }
    for name, value in settings.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(transformers.utils.hub, "_hf_api", None)  # it keeps its address
    monkeypatch.setenv("HF_TOKEN", loopback_hub.TOKEN)
    huggingface_hub.close_session()  # the one that was made offline
    yield server
    server.close()
    huggingface_hub.close_session()
