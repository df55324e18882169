"""Published files with tiny weights, and what conversion makes of them."""

from pathlib import Path

import huggingface_hub
import pytest
from helpers import loopback_hub
from helpers.published import HEADS, QFORMER_CONFIG, QUERIES, WIDTH, Published, write_published, write_tokenizer
from huggingface_hub import constants


@pytest.fixture(scope="session")
def tokenizer_model(tmp_path_factory) -> Path:
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def shared_files(tmp_path_factory, tokenizer_model):
    """The files of a family, shared by the whole run: read them only."""
    made: dict[str, Published] = {}

    def files(family: str) -> Published:
        if family not in made:
            made[family] = write_published(tmp_path_factory.mktemp(family) / "files", family, tokenizer_model)
        return made[family]

    return files


@pytest.fixture(scope="session")
def converted(tmp_path_factory, shared_files):
    """The folder that a family's files become, shared by the whole run: read it only."""
    from minigpt4.conversion import convert

    made: dict[tuple, Path] = {}

    def folder(family: str, **kwargs) -> Path:
        key = (family, *kwargs.items())
        if key not in made:
            output = tmp_path_factory.mktemp("converted") / family
            made[key] = convert(family, **shared_files(family).arguments, output=output, **kwargs)
        return made[key]

    return folder


@pytest.fixture
def files(tmp_path, tokenizer_model):
    """New files of a family, to be changed."""
    return lambda family: write_published(tmp_path / "files", family, tokenizer_model)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """Puts a folder on a Hub on this machine, from which this process downloads; returns the list of its requests."""
    server = loopback_hub.LoopbackHub()
    settings = {"ENDPOINT": server.endpoint, "HF_HUB_OFFLINE": False, "HF_HUB_CACHE": str(tmp_path / "hub")}
    settings["HUGGINGFACE_CO_URL_TEMPLATE"] = server.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    for name, value in settings.items():
        monkeypatch.setattr(constants, name, value)
    huggingface_hub.close_session()  # the one that was made offline

    def publish(name: str, folder: Path) -> list[str]:
        repository = server.repos[f"models/{name}"] = loopback_hub.Repo()
        repository.files.update({file.name: file.read_bytes() for file in folder.iterdir()})
        return server.requests

    yield publish
    server.close()
    huggingface_hub.close_session()


@pytest.fixture(scope="session")
def blip2_folder(tmp_path_factory):
    """A folder like Salesforce/blip2-flan-t5-xxl, and the model in it."""
    import torch
    from transformers import Blip2Config, Blip2ForConditionalGeneration

    folder = tmp_path_factory.mktemp("blip2") / "Salesforce" / "blip2"
    config = Blip2Config(
        vision_config={
            "hidden_size": WIDTH,
            "intermediate_size": 69,
            "num_hidden_layers": 3,
            "num_attention_heads": HEADS,
            "image_size": 56,
            "initializer_range": 0.5,
        },
        qformer_config={**QFORMER_CONFIG, "encoder_hidden_size": WIDTH},
        text_config={
            "model_type": "opt",
            "vocab_size": 30,
            "hidden_size": 16,
            "word_embed_proj_dim": 16,
            "ffn_dim": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
        },
        num_query_tokens=QUERIES,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Blip2ForConditionalGeneration(config)
        for parameter in model.parameters():
            parameter.data.normal_()
    model.save_pretrained(folder)
    return folder, model
