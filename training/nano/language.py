"""The language of nano: a Llama that learns from text alone to talk about scenes."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from .corpus import Corpus, Row
from .pretraining import pretrain
from .segments import Tokens
from .settings import NanoRecipe, text_config


def pad_tokens(rows: Sequence[Tokens], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and labels of `rows`, padded on the right (rows, longest)."""
    length = max(len(row.input_ids) for row in rows)
    input_ids = torch.full((len(rows), length), pad_token_id)
    labels = torch.full((len(rows), length), -100)
    for i, row in enumerate(rows):
        input_ids[i, : len(row.input_ids)] = torch.tensor(row.input_ids)
        labels[i, : len(row.labels)] = torch.tensor(row.labels)
    return input_ids, labels


def pad(rows: list[Row], pad_token_id: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """`pad_tokens`, and the words of each group of facts (image tokens of all rows, words), -1 where there are no more."""
    input_ids, labels = pad_tokens(rows, pad_token_id)
    groups = [group for row in rows for group in row.facts]
    words = max(map(len, groups), default=1)
    facts = torch.tensor([group + [-1] * (words - len(group)) for group in groups]).reshape(-1, words)
    return input_ids, labels, facts


def answer_logits(
    model: LlamaForCausalLM, input_ids: torch.Tensor, labels: torch.Tensor, facts: torch.Tensor, noise: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and targets (answer tokens, vocabulary) and (answer tokens,), of the answers only.

    An image token's embedding is the sum of its words', over the square root of their number: what a linear map can make
    of a Q-Former's output. `noise` blurs it by so many standard deviations of the embeddings, since the projection will
    not be exact either. No attention mask: padding is on the right, where causal attention never looks."""
    embeds = model.model.embed_tokens(input_ids)
    present = (facts >= 0)[..., None]
    image = (model.model.embed_tokens(facts.clamp(min=0)) * present).sum(1) / present.sum(1).sqrt()
    image = image + torch.randn_like(image) * (noise * embeds.detach().std())
    embeds = embeds.masked_scatter((input_ids == model.config.vocab_size - 1)[..., None], image)
    hidden = model.model(inputs_embeds=embeds).last_hidden_state[:, :-1]
    learned = labels[:, 1:] != -100
    return model.lm_head(hidden[learned]), labels[:, 1:][learned]


def pretrain_language_model(recipe: NanoRecipe, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """Train a Llama on text: first lookups alone, which it would not learn from dialogues in many times the steps, then
    everything."""
    torch.manual_seed(recipe.seed)
    model = LlamaForCausalLM(text_config(len(tokenizer), tokenizer.pad_token_id))
    corpus = Corpus(tokenizer, recipe.seed)

    def loss_of(rows: list[Row]) -> torch.Tensor:
        return F.cross_entropy(*answer_logits(model, *pad(rows, tokenizer.pad_token_id), noise=recipe.fact_noise))

    def lookups_at(step: int) -> torch.Tensor:
        return loss_of([corpus.lookups() for _ in range(recipe.lookups.batch_size)])

    def loss_at(step: int) -> torch.Tensor:
        # Every eighth batch holds long dialogues, and fewer of them.
        factor = 2 if step % 8 == 7 else 1
        lengths = [recipe.row_length * factor] * (recipe.language_model.batch_size // factor)
        return loss_of(
            [corpus.lookups() if corpus.rng.random() < recipe.lookup_share else corpus.row(n) for n in lengths]
        )

    pretrain(model, lookups_at, recipe.lookups, "language model, lookups")
    pretrain(model, loss_at, recipe.language_model, "language model")
    return model
