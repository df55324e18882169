"""Conversion of files with the real 7B shapes and random weights: prints memory and time as JSON lines.

    python -m benchmarks.convert_7b {vicuna,v2} [FOLDER] [--answer]

Needs 35 GB of disk in FOLDER (default: the folder for temporary files) and deletes everything afterwards. With --answer, the
result answers about a picture, too, in the precision of `describe` and in bfloat16 (`answer_7b.py`).
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from os import cpu_count
from pathlib import Path
from typing import IO

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from transformers import LlamaConfig

from minigpt4 import MiniGPT4Config
from minigpt4.conversion.names import BLIP2, CHECKPOINT, EVA, LANGUAGE_MODEL, rename
from minigpt4.conversion.plan import expected_shapes


PIECES, LORA_RANK = 32000, 64
GROWN = ("model.embed_tokens.weight", "lm_head.weight")
PUBLISHED = {
    "vision": "eva_vit_g.pth",
    "language_model": "llm",
    "checkpoint": "trained.pth",
    "qformer": "blip2.pth",
    "config": "config.json",
}
PUBLISHED_PIXELS = 224  # of EVA's position embeddings, whatever the family makes of them
BLOCK = torch.randn(2**20, generator=torch.Generator().manual_seed(0)) * 0.02


def noise(shape: Iterable[int], dtype: torch.dtype = torch.float16) -> torch.Tensor:
    """One block of random numbers, repeated: fast, and as good as fresh ones here."""
    shape = torch.Size(shape)
    return BLOCK.to(dtype).repeat(-(-shape.numel() // len(BLOCK)))[: shape.numel()].view(shape).clone()


def write_vision(shapes: dict[str, torch.Size], file: Path) -> None:
    """EVA's weights, with the unused block and head, in float16."""
    tensors = {}
    for name, shape in shapes.items():
        key = rename(name, EVA)
        if not name.startswith("model.vision_tower.") or ".post_layernorm." in name:
            continue
        if key.endswith("qkv.bias"):
            tensors |= {key.replace("qkv.bias", part): noise((shape[0] // 3,)) for part in ("q_bias", "v_bias")}
        else:
            tensors[key] = noise(shape)
    depth = len({key.split(".")[1] for key in tensors if key.startswith("blocks.")})
    last = f"blocks.{depth - 1}."
    unused = {
        key.replace(last, f"blocks.{depth}."): noise(t.shape) for key, t in tensors.items() if key.startswith(last)
    }
    width = tensors["cls_token"].shape[-1]
    head = {"norm.weight": (width,), "norm.bias": (width,), "head.weight": (1000, width), "head.bias": (1000,)}
    torch.save(tensors | unused | {key: noise(shape) for key, shape in head.items()}, file)


def write_qformer(shapes: dict[str, torch.Size], file: Path) -> None:
    """BLIP-2's weights, with the text path of the Q-Former, in float32."""
    parts = ("model.vision_tower.post_layernorm.", "model.qformer.", "model.query_tokens")
    tensors = {rename(n, BLIP2): noise(s, torch.float32) for n, s in shapes.items() if n.startswith(parts)}
    tensors |= {key.replace("_query.", "."): t.clone() for key, t in tensors.items() if "_query." in key}
    front, width = "Qformer.bert.embeddings.", tensors["query_tokens"].shape[-1]
    tensors[f"{front}word_embeddings.weight"] = noise((30523, width), torch.float32)
    tensors[f"{front}position_embeddings.weight"] = noise((512, width), torch.float32)
    tensors[f"{front}position_ids"] = torch.arange(512)[None]
    tensors |= {"t5_proj.weight": noise((4096, width), torch.float32), "t5_proj.bias": noise((4096,), torch.float32)}
    torch.save({"model": tensors}, file)


def write_language_model(config: LlamaConfig, pieces: int, shapes: dict[str, torch.Size], folder: Path) -> None:
    """A LLaMA in `.bin` shards, in float16."""
    folder.mkdir()
    config.save_pretrained(folder)
    write_tokenizer(folder / "tokenizer.model", pieces)
    keys = {rename(n, LANGUAGE_MODEL): s for n, s in shapes.items() if n.startswith(("model.language_model.", "lm_"))}
    weight_map = {key: f"pytorch_model-0000{i * 3 // len(keys) + 1}-of-00003.bin" for i, key in enumerate(keys)}
    for file in sorted(set(weight_map.values())):
        own = {}
        for key in (key for key, home in weight_map.items() if home == file):
            rows, *columns = keys[key]
            # Shapes include the row that conversion adds for the image; norms are around one.
            own[key] = noise((config.vocab_size if key in GROWN else rows, *columns)) + (not columns)
        torch.save(own, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def write_tokenizer(file: Path, pieces: int) -> None:
    """LLaMA's settings and vocabulary size, mostly with meaningless pieces."""
    with tempfile.TemporaryDirectory() as folder:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["Describe this image in detail."] * 40),
            model_prefix=f"{folder}/tokenizer",
            model_type="bpe",
            vocab_size=290,
            byte_fallback=True,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString(Path(folder, "tokenizer.model").read_bytes())
    for number in range(len(model.pieces), pieces):
        model.pieces.add(piece=f"\u2581{number}", score=-number)
    file.write_bytes(model.SerializeToString())


def write_checkpoint(shapes: dict[str, torch.Size], family: str, file: Path) -> None:
    """What was trained, in float32, and its two Adam moments: the projection, and in v2 LoRA on queries and values."""
    front = "model.multi_modal_projector."
    model = {rename(n, CHECKPOINT): noise(s, torch.float32) for n, s in shapes.items() if n.startswith(front)}
    if family == "v2":
        for name, (rows, columns) in (
            (n, s) for n, s in shapes.items() if n.endswith((".q_proj.weight", ".v_proj.weight"))
        ):
            key = f"llama_model.base_model.model.{rename(name, LANGUAGE_MODEL).removesuffix('.weight')}"
            model[f"{key}.lora_A.weight"] = noise((LORA_RANK, columns), torch.float32)
            model[f"{key}.lora_B.weight"] = noise((rows, LORA_RANK), torch.float32)
    moments = {i: {"exp_avg": t.clone(), "exp_avg_sq": t.clone()} for i, t in enumerate(model.values())}
    settings = {"model": {"arch": "minigpt_v2", "lora_r": LORA_RANK, "lora_alpha": 16}} if family == "v2" else {}
    torch.save({"model": model, "optimizer": {"state": moments}, "config": settings, "epoch": 3}, file)


def write_files(
    family: str, folder: Path, *, pieces: int = PIECES, text: Mapping | None = None, config: Mapping | None = None
) -> dict[str, Path]:
    """
    The published files of a family, with random weights.

    Args:
        family (`str`): `"vicuna"` or `"v2"`.
        folder (`Path`): where they go; it exists.
        pieces (`int`, *optional*, defaults to 32,000): of the tokenizer.
        text (`Mapping`, *optional*): sizes of the language model, in place of those of 7B.
        config (`Mapping`, *optional*): what `--config` states: in place of the family's sizes.

    Returns:
        `dict`: as [`written_files`].
    """
    vicuna, sizes = family == "vicuna", dict(config or {})
    rows = pieces + vicuna  # Vicuna v0 has one more
    shape = {"hidden_size": 4096, "intermediate_size": 11008} | dict(text or {})
    model = LlamaConfig(vocab_size=rows, dtype="float16", **shape)
    grown = LlamaConfig(**{**model.to_dict(), "vocab_size": rows + 1})
    parts = {} if vicuna else {"qformer_config": None, "token_merge_size": 4}
    published = {**sizes.get("vision_config", {}), "image_size": PUBLISHED_PIXELS}
    whole = parts | sizes | {"vision_config": published, "text_config": grown, "image_token_id": rows}
    shapes = expected_shapes(MiniGPT4Config(**whole))
    write_vision(shapes, folder / PUBLISHED["vision"])
    write_language_model(model, pieces, shapes, folder / PUBLISHED["language_model"])
    write_checkpoint(shapes, family, folder / PUBLISHED["checkpoint"])
    if vicuna:
        write_qformer(shapes, folder / PUBLISHED["qformer"])
    if sizes:
        (folder / PUBLISHED["config"]).write_text(json.dumps(sizes))
    return written_files(folder)


def written_files(folder: Path) -> dict[str, Path]:
    """What [`write_files`] wrote, by the arguments of `convert`."""
    return {name: folder / file for name, file in PUBLISHED.items() if (folder / file).exists()}


def measure(command: list[str], output: IO[str] | None = None) -> dict[str, float]:
    """Run a command; seconds, and peak memory in GB: total, and without pages of mapped files. Its output goes to `output`."""
    start, peak, anonymous = time.monotonic(), 0, 0
    process = subprocess.Popen(command, stdout=output)
    while process.poll() is None:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines())
        if "VmHWM" in status:
            peak = max(peak, int(status["VmHWM"].split()[0]))  # the kernel's own high-water mark
            anonymous = max(anonymous, int(status["RssAnon"].split()[0]))
        time.sleep(0.02)
    if process.returncode:
        raise SystemExit(process.returncode)
    seconds = time.monotonic() - start
    return {
        "seconds": round(seconds),
        "peak_rss_gb": round(peak * 1024 / 1e9, 2),
        "peak_rss_without_mapped_files_gb": round(anonymous * 1024 / 1e9, 2),
    }


def measure_answer(folder: Path, dtype: str) -> dict:
    """What `answer_7b.py` says of a checkpoint, and the memory of that process."""
    with tempfile.TemporaryFile("w+") as output:
        found = measure([sys.executable, "-m", "benchmarks.answer_7b", str(folder), f"--dtype={dtype}"], output)
        output.seek(0)
        return json.load(output) | found


def size_gb(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e9, 1)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convert_7b")
    parser.add_argument("family", choices=("vicuna", "v2"))
    parser.add_argument("folder", nargs="?", type=Path, help="In place of the folder for temporary files.")
    parser.add_argument("--answer", action="store_true", help="Measure an answer, too.")
    asked = parser.parse_args(arguments)
    if asked.folder is not None:
        asked.folder.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        files = folder / "files"
        files.mkdir()
        written = write_files(asked.family, files)
        options = [f"--{name.replace('_', '-')}={file}" for name, file in written.items()]
        minigpt4, output = [sys.executable, "-m", "minigpt4"], folder / "minigpt4-7b"
        shared = {"input_gb": size_gb(files), "cores": cpu_count()}
        found = measure([*minigpt4, "convert", asked.family, *options, f"--output={output}"])
        line = {"case": f"convert {asked.family} 7B", **shared, "output_gb": size_gb(output), **found}
        print(json.dumps(line), flush=True)
        found = measure([*minigpt4, "verify", str(output), *options])
        print(json.dumps({"case": f"verify {asked.family} 7B", **shared, **found}), flush=True)
        for dtype in ("auto", "bfloat16") if asked.answer else ():
            found = measure_answer(output, dtype)
            print(json.dumps({"case": f"answer {asked.family} 7B, {dtype}", **found}), flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
