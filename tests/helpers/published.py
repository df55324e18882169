"""Files as they were published, with tiny random weights: the keys and shapes are the facts, written down on their own."""

import json
from dataclasses import dataclass
from pathlib import Path

import sentencepiece
import torch
from transformers import LlamaConfig, LlamaForCausalLM


WIDTH, HEADS, DEPTH, PATCH, MLP = 16, 2, 3, 14, int(16 * 4.3637)
QFORMER_WIDTH, QFORMER_HEADS, QFORMER_LAYERS, QUERIES = 24, 3, 4, 5
TEXT_WIDTH, TEXT_LAYERS = 32, 2
LORA_RANK = 3
# Pixels of the files' position embeddings (4 by 4 patches), and of the families'.
PUBLISHED_PIXELS = 56
PIXELS = {"vicuna": 56, "llama2": 56, "v2": 112}

SENTENCES = [
    "The image shows a red circle left of a blue square.",
    "Describe this image in detail. ###Human: <Img></Img> ###Assistant: ",
    "[INST] what is this {<12><5><88><97>} [/INST]",
    "a photo of 3 cats, 27 dogs and  two   spaces",
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to you.",
]

CONFIG = {
    "vision_config": {
        "hidden_size": WIDTH,
        "intermediate_size": MLP,
        "num_hidden_layers": DEPTH,
        "num_attention_heads": HEADS,
    },
}
QFORMER_CONFIG = {
    "hidden_size": QFORMER_WIDTH,
    "intermediate_size": 2 * QFORMER_WIDTH,
    "num_hidden_layers": QFORMER_LAYERS,
    "num_attention_heads": QFORMER_HEADS,
}


@dataclass
class Published:
    """The files of one family in a folder."""

    family: str
    folder: Path

    @property
    def vision(self) -> Path:
        return self.folder / "eva_vit_g.pth"

    @property
    def qformer(self) -> Path | None:
        return self.folder / "blip2.pth" if self.family == "vicuna" else None

    @property
    def language_model(self) -> Path:
        return self.folder / "llm"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.pth"

    @property
    def config(self) -> Path:
        return self.folder / "config.json"

    @property
    def arguments(self) -> dict:
        """Of `convert`."""
        names = ("vision", "qformer", "language_model", "checkpoint", "config")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def options(self) -> list[str]:
        """Of `minigpt4 convert`."""
        pairs = ((f"--{name.replace('_', '-')}", str(value)) for name, value in self.arguments.items())
        return [self.family, *(word for pair in pairs for word in pair)]


def write_published(folder: Path, family: str, tokenizer: Path) -> Published:
    """Writes all files of a family."""
    files = Published(family, folder)
    folder.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(len(family))
    torch.save(eva(random), files.vision)
    torch.save({"model": blip2(random)}, folder / "blip2.pth")
    write_language_model(files.language_model, tokenizer, extra_row=family == "vicuna")
    torch.save(checkpoint(random, family), files.checkpoint)
    config = {**CONFIG, "vision_config": {**CONFIG["vision_config"], "image_size": PIXELS[family]}}
    if family == "vicuna":
        config |= {"qformer_config": QFORMER_CONFIG, "num_query_tokens": QUERIES}
    files.config.write_text(json.dumps(config))
    return files


def write_tokenizer(folder: Path) -> Path:
    """A `tokenizer.model` with LLaMA's settings and a few hundred pieces."""
    folder.mkdir(parents=True, exist_ok=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 40),
        model_prefix=str(folder / "tokenizer"),
        model_type="bpe",
        vocab_size=420,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        split_digits=True,
        minloglevel=2,
    )
    return folder / "tokenizer.model"


def _normal(random: torch.Generator, *shape: int, std: float = 0.3, mean: float = 0.0) -> torch.Tensor:
    return torch.empty(shape).normal_(mean, std, generator=random)


def _norm(random, name: str, width: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": _normal(random, width, mean=1.0), f"{name}.bias": _normal(random, width)}


def _linear(random, name: str, outputs: int, inputs: int) -> dict[str, torch.Tensor]:
    return {f"{name}.weight": _normal(random, outputs, inputs), f"{name}.bias": _normal(random, outputs)}


def eva(random: torch.Generator) -> dict[str, torch.Tensor]:
    patches = (PUBLISHED_PIXELS // PATCH) ** 2
    tensors = {
        "cls_token": _normal(random, 1, 1, WIDTH),
        "pos_embed": _normal(random, 1, 1 + patches, WIDTH),
        "patch_embed.proj.weight": _normal(random, WIDTH, 3, PATCH, PATCH, std=0.05),
        "patch_embed.proj.bias": _normal(random, WIDTH),
    }
    for block in range(DEPTH + 1):
        name = f"blocks.{block}"
        tensors |= _norm(random, f"{name}.norm1", WIDTH) | _norm(random, f"{name}.norm2", WIDTH)
        tensors[f"{name}.attn.q_bias"] = _normal(random, WIDTH)
        tensors[f"{name}.attn.v_bias"] = _normal(random, WIDTH)
        tensors[f"{name}.attn.qkv.weight"] = _normal(random, 3 * WIDTH, WIDTH)
        tensors |= _linear(random, f"{name}.attn.proj", WIDTH, WIDTH)
        tensors |= _linear(random, f"{name}.mlp.fc1", MLP, WIDTH) | _linear(random, f"{name}.mlp.fc2", WIDTH, MLP)
    return tensors | _norm(random, "norm", WIDTH) | _linear(random, "head", 7, WIDTH)


def blip2(random: torch.Generator) -> dict[str, torch.Tensor]:
    width = QFORMER_WIDTH
    tensors = {"query_tokens": _normal(random, 1, QUERIES, width)}
    tensors |= _norm(random, "ln_vision", WIDTH) | _norm(random, "Qformer.bert.embeddings.LayerNorm", width)
    for layer in range(QFORMER_LAYERS):
        name = f"Qformer.bert.encoder.layer.{layer}"
        for attention in ("attention", "crossattention") if layer % 2 == 0 else ("attention",):
            seen = WIDTH if attention == "crossattention" else width
            tensors |= _linear(random, f"{name}.{attention}.self.query", width, width)
            tensors |= _linear(random, f"{name}.{attention}.self.key", width, seen)
            tensors |= _linear(random, f"{name}.{attention}.self.value", width, seen)
            tensors |= _linear(random, f"{name}.{attention}.output.dense", width, width)
            tensors |= _norm(random, f"{name}.{attention}.output.LayerNorm", width)
        for suffix in ("_query", ""):  # the text path stands beside that of the queries
            tensors |= _linear(random, f"{name}.intermediate{suffix}.dense", 2 * width, width)
            tensors |= _linear(random, f"{name}.output{suffix}.dense", width, 2 * width)
            tensors |= _norm(random, f"{name}.output{suffix}.LayerNorm", width)
    tensors["Qformer.bert.embeddings.word_embeddings.weight"] = _normal(random, 11, width)
    tensors["Qformer.bert.embeddings.position_embeddings.weight"] = _normal(random, 9, width)
    tensors["Qformer.bert.embeddings.position_ids"] = torch.arange(9)[None]
    tensors |= _linear(random, "Qformer.cls.predictions.transform.dense", width, width)
    return tensors | _linear(random, "t5_proj", 40, width)


def write_language_model(folder: Path, tokenizer: Path, *, extra_row: bool) -> None:
    """A LLaMA in two `.bin` shards; with one row more than pieces, as Vicuna v0."""
    folder.mkdir()
    (folder / "tokenizer.model").write_bytes(tokenizer.read_bytes())
    rows = sentencepiece.SentencePieceProcessor(str(tokenizer)).get_piece_size() + extra_row
    config = LlamaConfig(
        vocab_size=rows,
        hidden_size=TEXT_WIDTH,
        intermediate_size=48,
        num_hidden_layers=TEXT_LAYERS,
        num_attention_heads=4,
        max_position_embeddings=512,
        initializer_range=0.3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(rows)
        tensors = LlamaForCausalLM(config).state_dict()
    for layer in range(TEXT_LAYERS):
        tensors[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    config.save_pretrained(folder)
    names = list(tensors)
    weight_map = {}
    for number, part in enumerate((names[:9], names[9:]), start=1):
        file = f"pytorch_model-{number:05}-of-00002.bin"
        torch.save({name: tensors[name].clone() for name in part}, folder / file)
        weight_map |= dict.fromkeys(part, file)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps(index))


def checkpoint(random: torch.Generator, family: str) -> dict:
    """The weights that were trained, among what else a run saves."""
    inputs = QFORMER_WIDTH if family == "vicuna" else 4 * WIDTH
    model = _linear(random, "llama_proj", TEXT_WIDTH, inputs)
    settings = {"arch": "minigpt4", "freeze_vit": True}
    if family == "v2":
        settings = {"arch": "minigpt_v2", "lora_r": LORA_RANK, "lora_alpha": 16}
        for layer in range(TEXT_LAYERS):
            for part in ("q_proj", "v_proj"):
                name = f"llama_model.base_model.model.model.layers.{layer}.self_attn.{part}"
                model[f"{name}.lora_A.weight"] = _normal(random, LORA_RANK, TEXT_WIDTH)
                model[f"{name}.lora_B.weight"] = _normal(random, TEXT_WIDTH, LORA_RANK)
    return {
        "model": model,
        "optimizer": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-5}]},
        "config": {"run": {"seed": 42}, "model": settings},
        "scaler": {"scale": 65536.0},
        "epoch": 3,
    }
