"""A file that does not fit is one clear error, and leaves nothing behind."""

import json
import pickle
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers.published import LORA_RANK, TEXT_WIDTH, WIDTH
from safetensors.torch import load_file, save_file

from minigpt4.checkpoints.writing import unfinished_folder
from minigpt4.conversion import convert, export, verify


@pytest.fixture
def refused(tmp_path):
    """Convert, which must fail with all the words in its one line, and leave nothing."""

    def check(files, *words, error=ValueError, **changes):
        output = tmp_path / "output"
        with pytest.raises(error) as caught:
            convert(files.family, **{**files.arguments, **changes}, output=output)
        message = str(caught.value)
        assert all(str(word) in message for word in words), message
        assert "\n" not in message
        assert [path.name for path in tmp_path.iterdir()] == ["files"]

    return check


def change(file: Path, edit) -> None:
    content = torch.load(file, weights_only=True)
    tensors = content.get("model", content)
    edit(tensors)
    torch.save(content, file)


def shard(files, number: int) -> Path:
    return files.language_model / f"pytorch_model-{number:05}-of-00002.bin"


# Source -> its file, one of its keys, and the key's shape.
PARTS = {
    "vision": (lambda files: files.vision, "blocks.1.norm1.weight", (WIDTH,)),
    "bias": (lambda files: files.vision, "blocks.2.attn.v_bias", (WIDTH,)),
    "qformer": (
        lambda files: files.qformer,
        "Qformer.bert.encoder.layer.2.crossattention.self.key.weight",
        (24, WIDTH),
    ),
    "ln_vision": (lambda files: files.qformer, "ln_vision.bias", (WIDTH,)),
    "language model": (lambda files: shard(files, 2), "model.layers.1.mlp.up_proj.weight", (48, TEXT_WIDTH)),
    "vocabulary": (lambda files: shard(files, 1), "model.embed_tokens.weight", (421, TEXT_WIDTH)),
    "checkpoint": (lambda files: files.checkpoint, "llama_proj.weight", (TEXT_WIDTH, 24)),
}


@pytest.mark.parametrize("part", PARTS)
def test_missing_tensor(files, refused, part):
    made = files("vicuna")
    find, key, shape = PARTS[part]
    change(find(made), lambda tensors: tensors.pop(key))
    place = find(made)
    if part in ("language model", "vocabulary"):
        refused(made, place, key, "index")
        place = made.language_model
        index = place / "pytorch_model.bin.index.json"
        index.write_text(index.read_text().replace(f'"{key}"', '"lm_head.weight"'))
    needed = {"bias": (3 * WIDTH,), "vocabulary": (422, TEXT_WIDTH)}.get(part, shape)
    refused(made, place, key, needed)


@pytest.mark.parametrize("part", [part for part in PARTS if part != "bias"])  # which is a part of another
@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_numbers_that_are_not_finite(files, refused, part, number):
    made = files("vicuna")
    find, key, _ = PARTS[part]
    change(find(made), lambda tensors: tensors[key].view(-1)[3:4].fill_(number))
    refused(made, find(made), key, "not finite")


@pytest.mark.parametrize("part", ["vision", "qformer", "language model", "checkpoint"])
def test_unknown_tensor(files, refused, part):
    made = files("vicuna")
    find, *_ = PARTS[part]
    change(find(made), lambda tensors: tensors.update({"what.is.this": torch.zeros(2, 3)}))
    refused(made, find(made), "what.is.this", "(2, 3)")


@pytest.mark.parametrize("part", PARTS)
def test_misshapen_tensor(files, refused, part):
    made = files("vicuna")
    find, key, shape = PARTS[part]
    more = 1 if part == "vocabulary" else 2  # as if the row of the image were there already
    wrong = (shape[0] + more, *shape[1:])
    change(find(made), lambda tensors: tensors.update({key: torch.zeros(wrong)}))
    if part == "vocabulary":  # a row of its own is added for the image
        shape = (422, TEXT_WIDTH)
    refused(made, find(made), key, wrong, shape)


@pytest.mark.parametrize(("key", "wrong"), [("blocks.0.attn.q_bias", (1, WIDTH)), ("pos_embed", (2, 17, WIDTH))])
def test_dimensions_too_many(files, refused, key, wrong):
    made = files("vicuna")
    change(made.vision, lambda tensors: tensors.update({key: torch.zeros(wrong)}))
    refused(made, made.vision, key, wrong)


def test_quantized_weights(files, refused):
    made = files("vicuna")
    key = PARTS["language model"][1]
    change(shard(made, 2), lambda tensors: tensors.update({key: tensors[key].to(torch.int8)}))
    refused(made, shard(made, 2), key, "int8")


def test_differences_from_llama(files, refused):
    made = files("vicuna")
    key = "model.norm.weight"
    change(shard(made, 2), lambda tensors: tensors.update({key: torch.full((TEXT_WIDTH,), -1e-3)}))
    refused(made, shard(made, 2), key, "differences")


def test_a_vocabulary_of_another_size_than_the_tokenizer(files, refused):
    made = files("vicuna")
    config = made.language_model / "config.json"
    config.write_text(config.read_text().replace('"vocab_size": 421', '"vocab_size": 430'))
    refused(made, made.language_model / "tokenizer.model", 420, 430)


def test_more_blocks_than_the_one_that_is_left_out(files, refused):
    made = files("vicuna")
    config = json.loads(made.config.read_text())
    config["vision_config"]["num_hidden_layers"] = 2
    refused(made, made.vision, "blocks.3.", "vision tower", config=config)


@pytest.mark.parametrize("kind", ["cut", "text", "empty"])
@pytest.mark.parametrize("part", ["vision", "qformer", "checkpoint"])
def test_damaged_pytorch_file(files, refused, part, kind):
    made = files("vicuna")
    file = getattr(made, part)
    content = {"cut": file.read_bytes()[: file.stat().st_size * 2 // 3], "text": b"<html>404</html>", "empty": b""}
    file.write_bytes(content[kind])
    refused(made, file, "download it again")


@pytest.mark.parametrize("text", ["hello world\n", "a" * 1000, "0\n", "(lp0\n", "]q.", '{"detail": "Not Found"}'])
def test_a_text_in_the_place_of_weights(files, refused, text):
    """Some letters are commands to the machine that reads pickles."""
    made = files("llama2")
    made.checkpoint.write_text(text)
    refused(made, made.checkpoint, "not a file of PyTorch weights", "download it again")


def test_keys_that_are_no_texts(files, refused):
    made = files("llama2")
    change(made.checkpoint, lambda tensors: tensors.update({1: torch.zeros(2)}))
    refused(made, made.checkpoint, "holds 1 as a tensor name")
    torch.save({0: torch.zeros(2)}, made.vision)
    refused(made, made.vision, "holds 0 as a tensor name")


@pytest.mark.parametrize("form", ["pth", "pth, and no tensor", "safetensors", "index"])
def test_keys_with_commands_to_the_terminal(files, refused, form):
    made = files("llama2")
    key, file = "a\x1b[2J\nb", made.checkpoint
    if form == "index":
        file = made.language_model / "pytorch_model.bin.index.json"
        index = json.loads(file.read_text())
        index["weight_map"][key] = "pytorch_model-00001-of-00002.bin"
        file.write_text(json.dumps(index))
        refused(made, file, r"'a\x1b[2J\nb'")
        return
    tensors = torch.load(file, weights_only=True)["model"]
    tensors[key] = "no tensor" if form.endswith("no tensor") else torch.zeros(2)
    if form == "safetensors":
        file = file.with_suffix(".safetensors")
        save_file(tensors, file)
    else:
        torch.save({"model": tensors}, file)
    refused(made, file, r"'a\x1b[2J\nb'", checkpoint=file)


@pytest.mark.parametrize(
    ("kind", "make"),
    {
        "sparse": torch.Tensor.to_sparse,
        "sparse ": torch.Tensor.to_sparse_csr,
        "meta": lambda tensor: tensor.to("meta"),
        "nested": lambda tensor: torch.nested.nested_tensor([*tensor]),
        "quantized": lambda tensor: torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8),
        "torch.float8_e4m3fn": lambda tensor: tensor.to(torch.float8_e4m3fn),
        "torch.complex64": lambda tensor: tensor.to(torch.complex64),
    }.items(),
)
@pytest.mark.filterwarnings("ignore")  # PyTorch calls some of these kinds unfinished
def test_tensors_of_other_kinds(files, refused, kind, make):
    made, key = files("v2"), "llama_proj.weight"
    change(made.checkpoint, lambda tensors: tensors.update({key: make(tensors[key])}))
    refused(made, made.checkpoint, key, f"is {kind}" if "." in kind else f"is a {kind.strip()} tensor")


@pytest.mark.parametrize("keep_lora", [False, True])
def test_a_lora_of_float8(files, refused, keep_lora):
    made = files("v2")
    key = next(key for key in torch.load(made.checkpoint, weights_only=True)["model"] if "lora_A" in key)
    change(made.checkpoint, lambda tensors: tensors.update({key: tensors[key].to(torch.float8_e4m3fn)}))
    refused(made, made.checkpoint, key, "torch.float8_e4m3fn", keep_lora=keep_lora)


@pytest.mark.parametrize(
    "weight_map",
    [["lm_head.weight"], None, "x", {"lm_head.weight": 1}, {"lm_head.weight": ""}],
    ids=["list", "nothing", "text", "numbers", "no names"],
)
def test_an_index_that_is_none(files, refused, weight_map):
    made = files("llama2")
    index = made.language_model / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    refused(made, index, "is not an index of weights", "download it again")


@pytest.mark.parametrize("name", ["../x.bin", "/etc/passwd", "..", "further/x.bin"])
def test_an_index_that_leaves_its_folder(files, refused, name):
    made = files("llama2")
    index = made.language_model / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": name}}))
    refused(made, index, "outside of its folder", name)


def test_a_configuration_that_is_a_list(files, refused, converted, tmp_path):
    made = files("llama2")
    (made.language_model / "config.json").write_text("[1, 2]")
    refused(made, made.language_model / "config.json")
    folder = Path(shutil.copytree(converted("llama2"), tmp_path / "folder"))
    (folder / "config.json").write_text("[1, 2]")
    for look in (verify, lambda folder: export(folder, tmp_path / "new.pth")):
        with pytest.raises(ValueError, match=rf"{folder / 'config.json'} holds a list"):
            look(folder)


def test_damaged_safetensors_file(files, refused):
    made = files("llama2")
    file = made.folder / "vision.safetensors"
    save_file(torch.load(made.vision), file)
    file.write_bytes(file.read_bytes()[:-100])
    refused(made, file, "download it again", vision=file)


class Code:
    """What a hostile file holds: reading it as a pickle writes a file."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return (exec, (f"open({str(self.mark)!r}, 'w').close()",))


@pytest.mark.parametrize("form", ["zip", "before 1.6", "pickle"])
def test_a_file_with_code_in_it(files, refused, tmp_path, form):
    made = files("llama2")
    mark = tmp_path / "ran"
    content = {"model": {}, "config": Code(mark)}
    if form == "pickle":
        made.checkpoint.write_bytes(pickle.dumps(content, protocol=2))
    else:
        torch.save(content, made.checkpoint, _use_new_zipfile_serialization=form == "zip")
    refused(made, made.checkpoint, "run code")
    assert not mark.exists()
    with made.checkpoint.open("rb") as opened:
        pickle.load(opened) if form == "pickle" else torch.load(opened, weights_only=False)
    assert mark.exists()  # it would have run


def test_things_that_are_no_tensors(files, refused):
    made = files("llama2")
    torch.save({"model": {"llama_proj.weight": "no"}}, made.checkpoint)
    refused(made, made.checkpoint, "llama_proj.weight", "str")
    torch.save([1, 2], made.checkpoint)
    refused(made, made.checkpoint, "list")
    torch.save({"model": {}}, made.checkpoint)
    refused(made, made.checkpoint, "no tensors")


LORA = "llama_model.base_model.model.model.layers.1.self_attn.q_proj.lora_"


def test_lora_for_layers_that_are_not_there(files, refused):
    made = files("v2")
    key = LORA.replace("layers.1", "layers.7")

    def edit(tensors):
        tensors[f"{key}A.weight"] = tensors[f"{LORA}A.weight"]
        tensors[f"{key}B.weight"] = tensors[f"{LORA}B.weight"]

    change(made.checkpoint, edit)
    refused(made, made.checkpoint, f"{key}A.weight", "model.language_model.layers.7.self_attn.q_proj.weight")


@pytest.mark.parametrize("keep_lora", [True, False])
def test_lora_with_numbers_that_are_not_finite(files, refused, keep_lora):
    made = files("v2")
    change(made.checkpoint, lambda tensors: tensors[f"{LORA}B.weight"].fill_(float("nan")))
    refused(made, made.checkpoint, "layers.1.self_attn.q_proj", "not finite", keep_lora=keep_lora)


def test_lora_of_two_ranks(files, refused):
    made = files("v2")

    def one_pair(tensors):
        tensors[f"{LORA}A.weight"] = torch.zeros(5, TEXT_WIDTH)
        tensors[f"{LORA}B.weight"] = torch.zeros(TEXT_WIDTH, 5)

    change(made.checkpoint, one_pair)
    refused(made, made.checkpoint, f"{LORA}A.weight", "rank", LORA_RANK, 5)


def test_lora_whose_halves_do_not_fit(files, refused):
    made = files("v2")
    change(made.checkpoint, lambda tensors: tensors.update({f"{LORA}B.weight": torch.zeros(TEXT_WIDTH, 5)}))
    refused(made, made.checkpoint, f"{LORA}B.weight", (TEXT_WIDTH, 5), (LORA_RANK, TEXT_WIDTH))
    change(made.checkpoint, lambda tensors: tensors.pop(f"{LORA}B.weight"))
    refused(made, made.checkpoint, f"{LORA}A.weight", "half")


def test_lora_with_an_alpha_that_is_none(files, refused):
    made = files("v2")
    content = torch.load(made.checkpoint)
    content["config"]["model"]["lora_alpha"] = "big"
    torch.save(content, made.checkpoint)
    refused(made, made.checkpoint, "lora_alpha", "'big'")


def test_lora_of_another_language_model(files, refused):
    made = files("v2")
    change(made.checkpoint, lambda tensors: tensors.update({f"{LORA}A.weight": torch.zeros(LORA_RANK, 40)}))
    refused(made, made.checkpoint, f"{LORA}A.weight", (LORA_RANK, 40), (TEXT_WIDTH, TEXT_WIDTH))


def test_checkpoint_of_another_family(files, refused, shared_files):
    checkpoints = {family: shared_files(family).checkpoint for family in ("vicuna", "llama2", "v2")}
    vicuna = files("vicuna")
    refused(vicuna, checkpoints["llama2"], (TEXT_WIDTH, 64), (TEXT_WIDTH, 24), checkpoint=checkpoints["llama2"])
    refused(vicuna, checkpoints["v2"], "LoRA", "v2", checkpoint=checkpoints["v2"])
    shutil.rmtree(vicuna.folder)
    llama2 = files("llama2")
    refused(llama2, checkpoints["vicuna"], (TEXT_WIDTH, 24), (TEXT_WIDTH, 64), checkpoint=checkpoints["vicuna"])
    refused(llama2, checkpoints["v2"], "LoRA", "v2", checkpoint=checkpoints["v2"])
    shutil.rmtree(llama2.folder)
    refused(files("v2"), checkpoints["llama2"], "no LoRA", checkpoint=checkpoints["llama2"])


def test_files_in_each_others_place(files, refused):
    made = files("vicuna")
    refused(made, made.qformer, "vision tower", vision=made.qformer)
    refused(made, made.vision, "BLIP-2 file", qformer=made.vision)
    refused(made, made.vision, "MiniGPT-4 checkpoint", checkpoint=made.vision)


def test_vicuna_needs_the_qformer(files, refused):
    made = files("vicuna")
    refused(made, "--qformer", qformer=None)


def test_sources_that_are_not_there(files, refused):
    made = files("llama2")
    refused(made, "nowhere.pth", vision="nowhere.pth", error=FileNotFoundError)
    refused(made, "no-such/model", vision="no-such/model", error=FileNotFoundError)
    refused(made, "no-such/model", language_model="no-such/model", error=FileNotFoundError)
    refused(made, made.checkpoint, "is a file", language_model=made.checkpoint, error=NotADirectoryError)
    refused(made, made.checkpoint, "not valid JSON", config=made.checkpoint)


def test_language_model_folder_with_holes(files, refused):
    made = files("llama2")
    folder = made.language_model
    index = folder / "pytorch_model.bin.index.json"
    whole = json.loads(index.read_text())
    index.write_text(json.dumps({"weight_map": {**whole["weight_map"], "model.norm.weight": "../checkpoint.pth"}}))
    refused(made, index, "../checkpoint.pth")
    index.write_text("{")
    refused(made, index)
    index.write_text(json.dumps(whole))
    shard(made, 2).rename(folder / "elsewhere")
    refused(made, shard(made, 2), error=FileNotFoundError)
    index.unlink()
    refused(made, folder, "no weights", error=FileNotFoundError)
    (folder / "tokenizer.model").unlink()
    refused(made, "tokenizer.model", error=FileNotFoundError)
    (folder / "config.json").unlink()
    refused(made, folder, "config.json", error=FileNotFoundError)


def test_overrides_that_do_not_exist(files, refused):
    made = files("llama2")
    refused(made, "image_size", "MiniGPT4Config", config={"image_size": 3})
    refused(made, "depth", "Blip2VisionConfig", config={"vision_config": {"depth": 3}})
    refused(made, "hidden", "LlamaConfig", config={"text_config": {"hidden": 3}})
    refused(made, "num_query_tokens", "int", "'5'", config={"num_query_tokens": "5"})
    made.config.write_text("[]")
    refused(made, made.config, "list")
    refused(made, "gone.json", config="gone.json", error=FileNotFoundError)


def test_an_unknown_family(files, tmp_path):
    with pytest.raises(ValueError, match=r"'vicuna2'.* one of vicuna, llama2, v2"):
        convert("vicuna2", **files("vicuna").arguments, output=tmp_path / "output")


def test_there_is_no_lora_to_keep(files, refused):
    refused(files("llama2"), "--keep-lora", keep_lora=True)


def test_what_is_there_is_not_overwritten(shared_files, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="exists already"):
        convert("llama2", **shared_files("llama2").arguments, output=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_output_without_a_name(shared_files):
    with pytest.raises(ValueError, match="give it a name"):
        convert("llama2", **shared_files("llama2").arguments, output=".")


def test_an_output_that_is_a_link(shared_files, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    convert("llama2", **shared_files("llama2").arguments, output=tmp_path / "link")
    assert (tmp_path / "disk/config.json").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "link"]


def test_an_output_that_is_a_mount_point(files, refused, monkeypatch):
    monkeypatch.setattr("pathlib.Path.is_mount", lambda path: True)  # mounting is for root
    refused(files("llama2"), "name a new folder in it")


def test_two_runs_into_one_output(shared_files, tmp_path):
    output = tmp_path / "output"
    with unfinished_folder(output) as folder:
        (folder / "model.safetensors").write_text("of the first")
        with pytest.raises(FileExistsError, match="Another run is writing"):
            convert("llama2", **shared_files("llama2").arguments, output=output)
    assert [path.name for path in tmp_path.iterdir()] == ["output"]
    assert {path.name: path.read_text() for path in output.iterdir()} == {"model.safetensors": "of the first"}


def test_a_full_disk_is_found_before_anything_is_written(files, refused, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    refused(files("llama2"), "GB left", error=OSError)


def test_a_killed_run_leaves_nothing_that_looks_finished(shared_files, tmp_path):
    files, output = shared_files("llama2"), tmp_path / "output"
    arguments = {name: str(value) for name, value in files.arguments.items()}
    script = f"""
import os, signal
from minigpt4.conversion import convert, folder
save_file = folder.save_file
def save_and_die(tensors, path, **kwargs):
    save_file(tensors, path, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
folder.save_file = save_and_die
convert("llama2", **{arguments}, output={str(output)!r}, max_shard_size=100_000)
"""
    assert subprocess.run([sys.executable, "-c", script], stderr=subprocess.DEVNULL).returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["output.unfinished"]
    assert not (tmp_path / "output.unfinished/config.json").exists()
    convert("llama2", **files.arguments, output=output)
    assert [path.name for path in tmp_path.iterdir()] == ["output"]
    assert load_file(output / "model.safetensors")
