import copy

import pytest
import torch
from transformers import (
    DynamicCache,
    LlamaForCausalLM,
    LogitsProcessorList,
    NoRepeatNGramLogitsProcessor,
    RepetitionPenaltyLogitsProcessor,
)
from transformers.modeling_outputs import BaseModelOutputWithPooling


both_variants = pytest.mark.parametrize("qformer", [True, False], ids=["qformer", "no_qformer"])


def pixels(count: int) -> torch.Tensor:
    return torch.randn(count, 3, 56, 56, generator=torch.Generator().manual_seed(1))


def as_the_original_generates(model, ids: list[int], images: torch.Tensor, **kwargs) -> torch.Tensor:
    """The original's way: the language model over its own vocabulary, from embeddings, so that it never sees the prompt's ids."""
    config = copy.deepcopy(model.config.text_config)
    config.vocab_size -= 1
    llama = LlamaForCausalLM(config).eval()
    state = {f"model.{name}": tensor for name, tensor in model.model.language_model.state_dict().items()}
    state["model.embed_tokens.weight"] = state["model.embed_tokens.weight"][:-1]
    state["lm_head.weight"] = model.lm_head.weight[:-1]
    llama.load_state_dict(state)
    features = iter(torch.cat(model.get_image_features(images).pooler_output))
    embed = llama.get_input_embeddings()
    embeds = [next(features) if token == model.config.image_token_id else embed(torch.tensor(token)) for token in ids]
    return llama.generate(inputs_embeds=torch.stack(embeds)[None], pad_token_id=0, eos_token_id=None, **kwargs)


@both_variants
@pytest.mark.parametrize(
    "kwargs",
    [
        {"do_sample": False},
        {"do_sample": False, "repetition_penalty": 1.5},
        {"do_sample": False, "no_repeat_ngram_size": 1},
        {"do_sample": False, "no_repeat_ngram_size": 2, "repetition_penalty": 1.05},
        {"do_sample": False, "num_beams": 3, "repetition_penalty": 1.2, "num_return_sequences": 3},
    ],
    ids=str,
)
def test_generates_what_the_original_generates(make_model, make_prompt, qformer, kwargs):
    model = make_model(qformer)
    # Two images with the same token after each: banning n-grams of placeholders would be seen at once.
    ids = make_prompt(model, 1, "image", 5, 6, 5, "image")
    torch.manual_seed(3)
    expected = as_the_original_generates(model, ids, pixels(2), max_new_tokens=12, **kwargs)
    torch.manual_seed(3)
    ours = model.generate(
        input_ids=torch.tensor([ids]),
        pixel_values=pixels(2),
        max_new_tokens=12,
        pad_token_id=0,
        eos_token_id=None,
        **kwargs,
    )
    assert ours[:, len(ids) :].tolist() == expected.tolist()


@both_variants
def test_samples_from_the_distribution_of_the_original(make_model, make_prompt, qformer):
    model = make_model(qformer)
    ids = make_prompt(model, 1, "image", 5, 6)
    settings = {
        "do_sample": True,
        "temperature": 0.6,
        "top_p": 0.9,
        "repetition_penalty": 1.05,
        "max_new_tokens": 1,
        "return_dict_in_generate": True,
        "output_scores": True,
    }
    theirs = as_the_original_generates(model, ids, pixels(1), **settings).scores[0]
    ours = model.generate(input_ids=torch.tensor([ids]), pixel_values=pixels(1), pad_token_id=0, **settings).scores[0]
    torch.testing.assert_close(ours.softmax(-1)[:, :-1], theirs.softmax(-1))
    assert (ours.softmax(-1)[:, -1] == 0).all()


def test_processors_of_the_caller_see_the_prompt(make_model, make_prompt):
    model = make_model()
    ids = torch.tensor([make_prompt(model, 1, "image", 5, 6)])
    seen = []

    class Spy(NoRepeatNGramLogitsProcessor):
        def __call__(self, input_ids, scores):
            seen.append(input_ids.shape[1])
            return super().__call__(input_ids, scores)

    own = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(1.3), Spy(1)])
    outputs = model.generate(
        input_ids=ids, pixel_values=pixels(1), max_new_tokens=3, do_sample=False, logits_processor=own, pad_token_id=0
    )
    assert seen == [ids.shape[1] + step for step in range(3)]
    assert not set(outputs[0, ids.shape[1] :].tolist()) & set(ids[0].tolist())


@both_variants
@pytest.mark.parametrize("num_beams", [1, 2])
def test_a_batch_gives_what_each_row_gives_alone(make_model, make_prompt, pad, qformer, num_beams):
    model = make_model(qformer)
    rows = [
        make_prompt(model, 1, 5, "image", 6, "image", 7),
        make_prompt(model, 1, 9, 10),
        make_prompt(model, 1, "image", 11, 12, 13),
    ]
    images, counts = pixels(3), [2, 0, 1]
    settings = {
        "max_new_tokens": 8,
        "do_sample": False,
        "num_beams": num_beams,
        "pad_token_id": 0,
        "eos_token_id": None,
    }
    inputs = pad(rows, "left")
    width = inputs["input_ids"].shape[1]
    together = model.generate(**inputs, pixel_values=images, **settings)[:, width:]
    first = 0
    for row, count, answer in zip(rows, counts, together, strict=True):
        own = {"pixel_values": images[first : first + count]} if count else {}
        alone = model.generate(input_ids=torch.tensor([row]), **own, **settings)[0, len(row) :]
        assert answer.tolist() == alone.tolist()
        first += count


@both_variants
def test_features_stand_for_pixels(make_model, make_prompt, qformer):
    model = make_model(qformer)
    ids = torch.tensor([make_prompt(model, 1, "image", 5, "image", 7)])
    settings = {"max_new_tokens": 6, "do_sample": False, "num_beams": 2, "pad_token_id": 0}
    expected = model.generate(input_ids=ids, pixel_values=pixels(2), **settings)
    vision_features = model.model.get_vision_features(pixels(2)).pooler_output
    image_features = model.get_image_features(pixels(2)).pooler_output
    model.model.vision_tower, model.model.qformer = None, None  # the towers do not run again
    assert torch.equal(model.generate(input_ids=ids, vision_features=vision_features, **settings), expected)
    outputs = {"image": BaseModelOutputWithPooling(pooler_output=image_features)}
    assert torch.equal(model.generate(input_ids=ids, mm_encoder_outputs=outputs, **settings), expected)


def test_equal_images_are_looked_at_once(make_model, make_prompt, pad):
    model = make_model()
    rows = [make_prompt(model, 1, "image", token, 6, "image") for token in (5, 7, 9)]
    inputs = pad(rows, "left")
    one, other = pixels(2)
    images = torch.stack([one, other, one, one, other, other])
    seen = []
    model.model.vision_tower.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    settings = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    together = model.generate(**inputs, pixel_values=images, **settings)
    assert seen == [2]
    for index, row in enumerate(together):
        alone = model.generate(torch.tensor([rows[index]]), pixel_values=images[2 * index : 2 * index + 2], **settings)
        assert row.tolist() == alone[0].tolist()


class TestGoingOnFromACache:
    """A prompt whose beginning was read before, with images on both sides of the border, gives what the whole prompt gives."""

    SETTINGS = {"max_new_tokens": 8, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}

    @pytest.fixture
    def model(self, make_model):
        return make_model()

    @pytest.fixture
    def inputs(self, model, make_prompt, pad):
        """Two rows: the first has two images before the border and one behind it, the second one and two."""
        rows = [
            make_prompt(model, 1, "image", 5, "image", 6, 7, "image", 8, 9, 5, 4, 8, 9, 5),
            make_prompt(model, 1, "image", 5, 6, 7, 8, 9, 5, 6, 7, 8, "image", 9, "image", 4),
        ]
        return pad(rows, "left")

    def read(self, model, inputs, length: int, images) -> DynamicCache:
        """The cache of the first `length` positions."""
        cache = DynamicCache(config=model.config.text_config)
        start = {name: tensor[:, :length] for name, tensor in inputs.items()}
        start["position_ids"] = (start["attention_mask"].cumsum(1) - 1).clamp(min=0)
        model(**start, pixel_values=images, past_key_values=cache)
        return cache

    @pytest.mark.parametrize("form", ["pixel_values", "vision_features", "mm_encoder_outputs"])
    @pytest.mark.parametrize("unread_only", [False, True])
    def test_images_of_all_or_of_the_rest(self, model, inputs, form, unread_only):
        images = pixels(6)
        expected = model.generate(**inputs, pixel_values=images, **self.SETTINGS)
        cache = self.read(model, inputs, 16, images[[0, 1, 3]])
        given = images[[2, 4, 5]] if unread_only else images
        if form == "vision_features":
            given = model.model.get_vision_features(given).pooler_output
        elif form == "mm_encoder_outputs":
            given = {"image": BaseModelOutputWithPooling(pooler_output=model.get_image_features(given).pooler_output)}
        seen = []
        model.model.vision_tower.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
        output = model.generate(**inputs, **{form: given}, past_key_values=cache, **self.SETTINGS)
        assert torch.equal(output, expected)
        assert seen == ([3] if form == "pixel_values" else [])

    def test_border_inside_of_an_image(self, model, make_prompt):
        ids = torch.tensor([make_prompt(model, 1, 5, "image", 6, "image", 7)])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        images = pixels(2)
        expected = model.generate(**inputs, pixel_values=images, **self.SETTINGS)
        cache = self.read(model, inputs, ids.shape[1] - 1, images)
        cache.crop(-(ids.shape[1] - 1 - 4))
        assert torch.equal(
            model.generate(**inputs, pixel_values=images, past_key_values=cache, **self.SETTINGS), expected
        )

    def test_all_images_were_read(self, model, make_prompt):
        ids = torch.tensor([make_prompt(model, 1, "image", 5, 6)])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        images = pixels(1)
        expected = model.generate(**inputs, pixel_values=images, **self.SETTINGS)
        for given in ({"pixel_values": images}, {}):
            cache = self.read(model, inputs, ids.shape[1] - 1, images)
            assert torch.equal(model.generate(**inputs, **given, past_key_values=cache, **self.SETTINGS), expected)

    def test_only_the_new_ids(self, model, make_prompt):
        ids = torch.tensor([make_prompt(model, 1, "image", 5, 6, "image", 7)])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        images = pixels(2)
        expected = model.generate(**inputs, pixel_values=images, **self.SETTINGS)[:, ids.shape[1] :]
        cache = self.read(model, inputs, 8, images[:1])
        rest = {"input_ids": ids[:, 8:], "attention_mask": inputs["attention_mask"], "pixel_values": images[1:]}
        output = model.generate(**rest, past_key_values=cache, **self.SETTINGS)
        assert torch.equal(output[:, ids.shape[1] - 8 :], expected)

    def test_images_that_are_missing(self, model, make_prompt):
        ids = torch.tensor([make_prompt(model, 1, "image", 5, 6, "image", 7)])
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        cache = self.read(model, inputs, 8, pixels(1))
        with pytest.raises(
            ValueError, match="1 images of the prompts are not in past_key_values yet, but 0 were given"
        ):
            model.generate(**inputs, past_key_values=cache, **self.SETTINGS)


def test_an_assistant_sees_the_images(make_model, make_prompt):
    model, assistant = make_model(), make_model()
    inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 5)]), "pixel_values": pixels(1)}
    settings = {"max_new_tokens": 10, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    expected = model.generate(**inputs, **settings)
    seen = []
    project = assistant.model.get_placeholder_mask
    assistant.model.get_placeholder_mask = lambda *args: seen.append(1) or project(*args)
    assert torch.equal(model.generate(**inputs, **settings, assistant_model=assistant), expected)
    assert seen


def test_prompt_lookup_proposes_no_placeholder(make_model, make_prompt):
    model = make_model()
    # The prompt ends with what stands before its image.
    inputs = {"input_ids": torch.tensor([make_prompt(model, 1, 5, 6, "image", 7, 5, 6)]), "pixel_values": pixels(1)}
    settings = {"max_new_tokens": 10, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    expected = model.generate(**inputs, **settings)
    assert torch.equal(model.generate(**inputs, **settings, prompt_lookup_num_tokens=4), expected)


def test_generates_from_embeddings(make_model):
    model = make_model()
    ids = torch.tensor([[1, 5, 6, 7]])
    settings = {"max_new_tokens": 5, "do_sample": False, "pad_token_id": 0, "eos_token_id": None}
    embeds = model.get_input_embeddings()(ids)
    assert torch.equal(model.generate(inputs_embeds=embeds, **settings), model.generate(ids, **settings)[:, 4:])


def test_the_placeholder_is_never_generated(make_model, make_prompt):
    model = make_model()
    with torch.no_grad():  # an untrained row that would win every time
        model.lm_head.weight[model.config.image_token_id] = 100 * model.lm_head.weight.mean(0)
    ids = torch.tensor([make_prompt(model, 1, "image", 5)]).expand(4, -1)
    torch.manual_seed(0)
    sampled = model.generate(
        input_ids=ids,
        pixel_values=pixels(4),
        do_sample=True,
        temperature=5.0,
        top_k=0,
        max_new_tokens=40,
        pad_token_id=0,
    )
    assert not (sampled[:, ids.shape[1] :] == model.config.image_token_id).any()


@both_variants
def test_static_cache_and_compilation(make_model, make_prompt, pad, qformer):
    model = make_model(qformer)
    inputs = pad([make_prompt(model, 1, "image", 5, 6), make_prompt(model, 1, 7, "image")], "left")
    settings = {"pixel_values": pixels(2), "max_new_tokens": 6, "do_sample": False, "pad_token_id": 0}
    expected = model.generate(**inputs, **settings)
    assert torch.equal(model.generate(**inputs, **settings, cache_implementation="static"), expected)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    torch.testing.assert_close(
        compiled(**inputs, pixel_values=pixels(2)).logits, model(**inputs, pixel_values=pixels(2)).logits
    )
