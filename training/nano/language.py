"""The language of nano: a Llama that learns from text alone to talk about scenes."""

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import Corpus, Row
from .pretraining import pretrain
from .recipe import NanoRecipe, text_config


def pad(rows: list[Row], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, labels and the mask of the scene's facts of `rows`, padded on the right (rows, longest)."""
    length = max(len(row.input_ids) for row in rows)
    input_ids = torch.full((len(rows), length), pad_token_id)
    labels = torch.full((len(rows), length), -100)
    image = torch.zeros(len(rows), length, dtype=torch.bool)
    for i, row in enumerate(rows):
        input_ids[i, : len(row.input_ids)] = torch.tensor(row.input_ids)
        labels[i, : len(row.labels)] = torch.tensor(row.labels)
        image[i, row.image.start : row.image.stop] = True
    return input_ids, labels, image


def answer_logits(
    model: LlamaForCausalLM, input_ids: torch.Tensor, labels: torch.Tensor, image: torch.Tensor, noise: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets (answer tokens, vocabulary) and (answer tokens,), of the answers only.

    `noise` blurs the facts of the scene by so many standard deviations of the embeddings: what the projection gives
    later is not the exact word either. No attention mask: padding is on the right, where causal attention never looks.
    """
    embeds = model.model.embed_tokens(input_ids)
    if noise:
        embeds = embeds + image[..., None] * torch.randn_like(embeds) * (noise * embeds.detach().std())
    hidden = model.model(inputs_embeds=embeds).last_hidden_state[:, :-1]
    learned = labels[:, 1:] != -100
    return model.lm_head(hidden[learned]), labels[:, 1:][learned]


def pretrain_language_model(recipe: NanoRecipe, tokenizer: PreTrainedTokenizerFast, row: int = 0) -> LlamaForCausalLM:
    """Train a Llama on text: first detailed descriptions alone, from which it learns to copy, then everything."""
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(text_config(len(tokenizer), tokenizer.pad_token_id))
    corpus = Corpus(tokenizer, recipe.seed)

    def loss_at(step: int) -> torch.Tensor:
        descriptions_only = step < recipe.description_steps
        # Every eighth batch holds long dialogues, and fewer of them.
        factor = 2 if step % 8 == 7 else 1
        rows = [
            corpus.row(recipe.row_length * factor, descriptions_only)
            for _ in range(recipe.language_model.batch_size // factor)
        ]
        return F.cross_entropy(*answer_logits(model, *pad(rows, tokenizer.pad_token_id), noise=recipe.fact_noise))

    pretrain(model, loss_at, recipe.language_model, "language model", row)
    return model
