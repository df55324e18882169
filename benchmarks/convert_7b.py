"""Conversion of files with the real 7B shapes and random weights: prints memory and time as JSON lines.

    python benchmarks/convert_7b.py [FOLDER]

Needs 35 GB of disk in FOLDER (default: the folder for temporary files) and deletes everything afterwards.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from os import cpu_count
from pathlib import Path

import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2
from transformers import LlamaConfig

from minigpt4 import MiniGPT4Config
from minigpt4.conversion.names import BLIP2, CHECKPOINT, EVA, LANGUAGE_MODEL, rename
from minigpt4.conversion.plan import expected_shapes


PIECES = 32000
ROWS = PIECES + 1  # as Vicuna v0
GROWN = ("model.embed_tokens.weight", "lm_head.weight")
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
    last = {key.replace("blocks.38.", "blocks.39."): noise(t.shape) for key, t in tensors.items() if "s.38." in key}
    width = tensors["cls_token"].shape[-1]
    head = {"norm.weight": (width,), "norm.bias": (width,), "head.weight": (1000, width), "head.bias": (1000,)}
    torch.save(tensors | last | {key: noise(shape) for key, shape in head.items()}, file)


def write_qformer(shapes: dict[str, torch.Size], file: Path) -> None:
    """BLIP-2's weights, with the text path of the Q-Former, in float32."""
    parts = ("model.vision_tower.post_layernorm.", "model.qformer.", "model.query_tokens")
    tensors = {rename(n, BLIP2): noise(s, torch.float32) for n, s in shapes.items() if n.startswith(parts)}
    tensors |= {key.replace("_query.", "."): t.clone() for key, t in tensors.items() if "_query." in key}
    front = "Qformer.bert.embeddings."
    tensors[f"{front}word_embeddings.weight"] = noise((30523, 768), torch.float32)
    tensors[f"{front}position_embeddings.weight"] = noise((512, 768), torch.float32)
    tensors[f"{front}position_ids"] = torch.arange(512)[None]
    tensors |= {"t5_proj.weight": noise((4096, 768), torch.float32), "t5_proj.bias": noise((4096,), torch.float32)}
    torch.save({"model": tensors}, file)


def write_language_model(config: LlamaConfig, shapes: dict[str, torch.Size], folder: Path) -> None:
    """A LLaMA in `.bin` shards, in float16."""
    folder.mkdir()
    config.save_pretrained(folder)
    write_tokenizer(folder / "tokenizer.model")
    keys = {rename(n, LANGUAGE_MODEL): s for n, s in shapes.items() if n.startswith(("model.language_model.", "lm_"))}
    weight_map = {key: f"pytorch_model-0000{i * 3 // len(keys) + 1}-of-00003.bin" for i, key in enumerate(keys)}
    for file in sorted(set(weight_map.values())):
        own = {}
        for key in (key for key, home in weight_map.items() if home == file):
            rows, *columns = keys[key]
            # Shapes include the row that conversion adds for the image; norms are around one.
            own[key] = noise((ROWS if key in GROWN else rows, *columns)) + (not columns)
        torch.save(own, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def write_tokenizer(file: Path) -> None:
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
    for number in range(len(model.pieces), PIECES):
        model.pieces.add(piece=f"\u2581{number}", score=-number)
    file.write_bytes(model.SerializeToString())


def write_checkpoint(shapes: dict[str, torch.Size], file: Path) -> None:
    """The projection, and its two Adam moments."""
    front = "model.multi_modal_projector."
    model = {rename(n, CHECKPOINT): noise(s, torch.float32) for n, s in shapes.items() if n.startswith(front)}
    moments = {i: {"exp_avg": t.clone(), "exp_avg_sq": t.clone()} for i, t in enumerate(model.values())}
    torch.save({"model": model, "optimizer": {"state": moments}, "config": {}, "epoch": 3}, file)


def measure(command: list[str]) -> dict[str, float]:
    """Run a command; seconds, and peak memory in GB: total, and without pages of mapped files."""
    start, peak, anonymous = time.monotonic(), 0, 0
    process = subprocess.Popen(command)
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


def size_gb(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e9, 1)


def main(parent: str | None = None) -> None:
    text_config = LlamaConfig(vocab_size=ROWS, hidden_size=4096, intermediate_size=11008, dtype="float16")
    grown = LlamaConfig(**{**text_config.to_dict(), "vocab_size": ROWS + 1})
    shapes = expected_shapes(MiniGPT4Config(text_config=grown, image_token_id=ROWS))
    folder = Path(tempfile.mkdtemp(dir=parent))
    try:
        files = folder / "files"
        files.mkdir()
        write_vision(shapes, files / "eva_vit_g.pth")
        write_qformer(shapes, files / "blip2.pth")
        write_language_model(text_config, shapes, files / "vicuna-7b")
        write_checkpoint(shapes, files / "checkpoint.pth")
        sources = {"vision": "eva_vit_g.pth", "qformer": "blip2.pth", "language-model": "vicuna-7b"}
        sources["checkpoint"] = "checkpoint.pth"
        options = [f"--{name}={files / file}" for name, file in sources.items()]
        minigpt4, output = [sys.executable, "-m", "minigpt4"], folder / "minigpt4-7b"
        shared = {"input_gb": size_gb(files), "cores": cpu_count()}
        found = measure([*minigpt4, "convert", "vicuna", *options, f"--output={output}"])
        print(json.dumps({"case": "convert vicuna 7B", **shared, "output_gb": size_gb(output), **found}), flush=True)
        found = measure([*minigpt4, "verify", str(output), *options])
        print(json.dumps({"case": "verify vicuna 7B", **shared, **found}), flush=True)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
