"""The language of nano-v2: a Llama that learns from text alone to talk about scenes and boxes."""

import random
from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from minigpt4.evaluation.scenes.boxed import sample_boxed_scenes
from minigpt4.processing.tasks import TASKS
from minigpt4.training.nano.language import pad_tokens
from minigpt4.training.nano.pretraining import pretrain

from .codes import codes, curve, side_labels, word_labels
from .corpus import Corpus, Row
from .settings import VISION_WIDTH, NanoV2Recipe, text_config


class Reader(nn.Module):
    """The language model, and in place of the projection a linear map of codes, which is thrown away with the codes."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, recipe: NanoV2Recipe):
        super().__init__()
        self.language_model = LlamaForCausalLM(text_config(len(tokenizer), tokenizer.pad_token_id))
        width = self.language_model.config.hidden_size
        _place_numbers(self.language_model, tokenizer)
        self.codes_to_embeddings = nn.Linear(VISION_WIDTH, width)
        nn.init.normal_(self.codes_to_embeddings.weight, std=0.08 / VISION_WIDTH**0.5 * 4)
        nn.init.zeros_(self.codes_to_embeddings.bias)
        self.tokenizer, self.recipe = tokenizer, recipe
        self.image_token_id = tokenizer.convert_tokens_to_ids("<ImageHere>")
        # Words of which nothing is learned here, not even that they are never said: they must stay apart.
        identifiers = [tokenizer.convert_tokens_to_ids(f"▁[{task}]") for task in TASKS]
        self.never = torch.tensor([*identifiers, self.image_token_id, tokenizer.pad_token_id])

    def forward(self, rows: Sequence[Row], noise: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits and targets (answer tokens, vocabulary) and (answer tokens,), of the answers only. No attention mask:
        padding is on the right, where causal attention never looks."""
        input_ids, labels = pad_tokens(rows, self.tokenizer.pad_token_id)
        model = self.language_model.model
        embeds = model.embed_tokens(input_ids)
        if scenes := [row.scene for row in rows if row.scene is not None]:
            sides = side_labels(scenes)
            held = codes(word_labels(scenes), sides + self.recipe.box_noise * noise * torch.randn_like(sides))
            held = held + self.recipe.code_noise * noise * torch.randn_like(held)
            image = self.codes_to_embeddings(held)
            embeds = embeds.masked_scatter((input_ids == self.image_token_id)[..., None], image)
        hidden = model(inputs_embeds=embeds, use_cache=False).last_hidden_state[:, :-1]
        learned = labels[:, 1:] != -100
        logits = self.language_model.lm_head(hidden[learned])
        return logits.index_fill(-1, self.never, torch.finfo(logits.dtype).min), labels[:, 1:][learned]


def _place_numbers(language_model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
    """Let the numbers of boxes begin on the curve of the codes' sides, so that the model knows which are near each other: the
    text alone would take it most of its time to find out."""
    points = curve(torch.arange(101.0))
    embeddings = language_model.get_input_embeddings().weight
    directions = nn.init.orthogonal_(embeddings.new_empty(points.shape[1], embeddings.shape[1]))
    with torch.no_grad():
        embeddings[tokenizer.convert_tokens_to_ids([f"<{number}>" for number in range(101)])] = points @ directions


def pretrain_language_model(
    recipe: NanoV2Recipe, tokenizer: PreTrainedTokenizerFast, kept: Path | None = None
) -> LlamaForCausalLM:
    """Train a Llama on text: first lookups alone, then dialogues, too, and at last where a lookup's answer ends. With its
    ends from the beginning, lookups are learned four times in five at most. `kept`, a folder, as the file in [`pretrain`]."""
    torch.manual_seed(recipe.seed)
    reader, corpus = Reader(tokenizer, recipe), Corpus(tokenizer)

    def loss_at(step: int, part: str, count: int, lookup_share: float, ended: bool) -> torch.Tensor:
        source = f"{part} {recipe.seed} {step}"
        scenes, rng = islice(sample_boxed_scenes(source), count), random.Random(source)
        rows = [
            corpus.lookups(scene, rng, ended=ended)
            if rng.random() < lookup_share
            else corpus.dialogue(scene, rng, recipe.row_length)
            for scene in scenes
        ]
        return F.cross_entropy(*reader(rows))

    for part, settings, share, ended in (
        ("lookups", recipe.lookups, 1.0, False),
        ("language model", recipe.language_model, recipe.lookup_share, False),
        ("ends", recipe.ends, recipe.lookup_share, True),
    ):
        pretrain(
            reader,
            partial(loss_at, part=part, count=settings.batch_size, lookup_share=share, ended=ended),
            settings,
            part,
            kept and kept / f"{part}.kept",
        )
    return reader.language_model
