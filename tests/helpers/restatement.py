"""The published models said again in plain PyTorch, from their files: what conversion is compared with."""

import re
from math import sqrt

import numpy as np
import sentencepiece
import torch
from PIL import Image
from torch.nn import functional
from transformers import LlamaForCausalLM

from helpers.published import DEPTH, HEADS, PATCH, PIXELS, QFORMER_HEADS, QFORMER_LAYERS, Published


IGNORED = -100
SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to you. "
    "Please answer my questions."
)


def norm(x, tensors, name, eps):
    return functional.layer_norm(x, x.shape[-1:], tensors[f"{name}.weight"], tensors[f"{name}.bias"], eps)


def linear(x, tensors, name):
    return functional.linear(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"])


def attend(queries, keys, values, heads):
    queries, keys, values = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (queries, keys, values))
    weights = (queries @ keys.transpose(-1, -2) / sqrt(queries.shape[-1])).softmax(-1)
    return (weights @ values).transpose(1, 2).flatten(2)


class Original:
    """
    One of the published models, from its files.

    Text goes to the language model over its own vocabulary, as embeddings, with those of the images between.
    """

    def __init__(self, files: Published):
        self.family = files.family
        self.pieces = sentencepiece.SentencePieceProcessor(str(files.language_model / "tokenizer.model"))
        self.vit = torch.load(files.vision)
        self.blip2 = torch.load(files.qformer)["model"] if files.qformer else None
        saved = torch.load(files.checkpoint)
        self.trained = saved["model"]
        self.projection = [self.trained[f"llama_proj.{part}"].requires_grad_() for part in ("weight", "bias")]
        self.llama = LlamaForCausalLM.from_pretrained(files.language_model, dtype=torch.float32).eval()
        if self.family == "v2":
            self._add_lora(saved["config"]["model"])

    def _add_lora(self, settings):
        for name, module in self.llama.named_modules():
            key = f"llama_model.base_model.model.{name}.lora_A.weight"
            if key in self.trained:
                a, b = self.trained[key], self.trained[key.replace("lora_A", "lora_B")]
                scale = settings["lora_alpha"] / settings["lora_r"]
                module.register_forward_hook(
                    lambda _, inputs, output, a=a, b=b, scale=scale: output + scale * (inputs[0] @ a.T @ b.T)
                )

    # Pictures

    def pixels(self, images: list[Image.Image]) -> torch.Tensor:
        size = PIXELS[self.family]
        mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
        resized = [np.asarray(image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)) for image in images]
        values = (np.stack(resized).astype(np.float32) / 255 - np.float32(mean)) / np.float32(std)
        return torch.from_numpy(values).permute(0, 3, 1, 2)

    def image_embeddings(self, pixels: torch.Tensor) -> torch.Tensor:
        hidden = self._see(pixels)
        if self.blip2 is None:
            identity = functional.layer_norm(hidden, hidden.shape[-1:], eps=1e-5)
            patches = identity[:, 1:]
            features = torch.stack([row.reshape(len(row) // 4, -1) for row in patches])
        else:
            features = self._query(norm(hidden, self.blip2, "ln_vision", 1e-5))
        return self.project(features)

    def project(self, features: torch.Tensor) -> torch.Tensor:
        return functional.linear(features, *self.projection)

    def _see(self, pixels):
        tensors = self.vit
        patches = functional.conv2d(
            pixels, tensors["patch_embed.proj.weight"], tensors["patch_embed.proj.bias"], stride=PATCH
        )
        side = patches.shape[-1]
        x = torch.cat((tensors["cls_token"].expand(len(pixels), -1, -1), patches.flatten(2).mT), dim=1)
        positions = tensors["pos_embed"]
        if positions.shape[1] != 1 + side**2:
            old = round(sqrt(positions.shape[1] - 1))
            grid = positions[0, 1:].T.reshape(1, -1, old, old)
            grid = torch.nn.Upsample(size=(side, side), mode="bicubic", align_corners=False)(grid)
            positions = torch.cat((positions[:, :1], grid.reshape(1, grid.shape[1], -1).mT), dim=1)
        x = x + positions
        for block in range(DEPTH):
            name = f"blocks.{block}"
            y = norm(x, tensors, f"{name}.norm1", 1e-6)
            q, k, v = functional.linear(y, tensors[f"{name}.attn.qkv.weight"]).chunk(3, dim=-1)
            y = attend(q + tensors[f"{name}.attn.q_bias"], k, v + tensors[f"{name}.attn.v_bias"], HEADS)
            x = x + linear(y, tensors, f"{name}.attn.proj")
            y = norm(x, tensors, f"{name}.norm2", 1e-6)
            x = x + linear(functional.gelu(linear(y, tensors, f"{name}.mlp.fc1")), tensors, f"{name}.mlp.fc2")
        return x

    def _query(self, image):
        tensors, eps = self.blip2, 1e-12

        def attention(x, seen, name):
            parts = (
                linear(x, tensors, f"{name}.self.query"),
                *(linear(seen, tensors, f"{name}.self.{p}") for p in ("key", "value")),
            )
            y = linear(attend(*parts, QFORMER_HEADS), tensors, f"{name}.output.dense")
            return norm(x + y, tensors, f"{name}.output.LayerNorm", eps)

        x = norm(tensors["query_tokens"], tensors, "Qformer.bert.embeddings.LayerNorm", eps).expand(len(image), -1, -1)
        for layer in range(QFORMER_LAYERS):
            name = f"Qformer.bert.encoder.layer.{layer}"
            x = attention(x, x, f"{name}.attention")
            if layer % 2 == 0:
                x = attention(x, image, f"{name}.crossattention")
            y = functional.gelu(linear(x, tensors, f"{name}.intermediate_query.dense"))
            x = norm(
                x + linear(y, tensors, f"{name}.output_query.dense"), tensors, f"{name}.output_query.LayerNorm", eps
            )
        return x

    # Text

    def ids(self, text: str) -> list[int]:
        """Of one segment."""
        special = {"<unk>": 0, "<s>": 1, "</s>": 2}
        parts = re.split("(<unk>|<s>|</s>)", text)
        return [id_ for part in parts for id_ in ([special[part]] if part in special else self.pieces.encode(part))]

    def chat(self, *turns: str | None) -> str:
        """A prompt of questions and answers in turn; the image stands in the first question."""
        text = {"vicuna": SYSTEM, "llama2": SYSTEM, "v2": ""}[self.family]
        for index, turn in enumerate(turns):
            image = "<Img><ImageHere></Img> " if index == 0 else ""
            if index % 2:
                text += turn
            elif self.family == "vicuna":
                text += f"###Human: {image}{turn}###Assistant: "
            else:
                text += f"<s>[INST] {image}{turn} [/INST]" + (" " if self.family == "llama2" else "")
        return text

    def segments(self, prompt: str) -> list[list[int]]:
        """Ids of the text before, between and after the images; `<s>` begins the first."""
        first, *rest = [self.ids(segment) for segment in prompt.split("<ImageHere>")]
        return [[1, *first], *rest]

    def embed(self, segments: list[list[int]], images: torch.Tensor) -> torch.Tensor:
        """Of shape `(length, width)`: text, with each image of `(tokens, width)` between two segments."""
        rows = [self.llama.model.embed_tokens(torch.tensor(segment, dtype=torch.long)) for segment in segments]
        parts = [rows[0]]
        for image, row in zip(images, rows[1:], strict=True):
            parts += [image, row]
        return torch.cat(parts)

    def loss(self, rows: list[tuple[torch.Tensor, list[list[int]], list[bool]]]) -> torch.Tensor:
        """
        The mean over the answers' tokens of a batch.

        Each row is its image embeddings, its pieces (an image stands after the first), and which of these are answers.
        """
        total, count = 0.0, 0
        for image, pieces, is_answer in rows:
            embeddings, targets = [], []
            for index, (piece, answer) in enumerate(zip(pieces, is_answer, strict=True)):
                embeddings.append(self.llama.model.embed_tokens(torch.tensor(piece, dtype=torch.long)))
                targets += piece if answer else [IGNORED] * len(piece)
                if index == 0:
                    embeddings.append(image)
                    targets += [IGNORED] * len(image)
            logits = self.llama(inputs_embeds=torch.cat(embeddings)[None]).logits[0, :-1]
            labels = torch.tensor(targets[1:])
            total = total + functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum")
            count += int((labels != IGNORED).sum())
        return total / count
