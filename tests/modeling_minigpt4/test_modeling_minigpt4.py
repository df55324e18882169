import copy
import json
import re

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from transformers import AutoModelForImageTextToText, AutoModelForMultimodalLM, BitsAndBytesConfig, LlamaForCausalLM
from transformers.utils import is_accelerate_available

from minigpt4 import MiniGPT4ForConditionalGeneration


WHOLLY_ON_DISK = pytest.mark.skipif(
    not is_accelerate_available("1.15"),
    reason="before 1.15 accelerate refuses a model that has no room in memory at all",
)
both_variants = pytest.mark.parametrize("qformer", [True, False], ids=["qformer", "no_qformer"])


def pixels(count: int, size: int = 56) -> torch.Tensor:
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(1))


def own_language_model(model) -> LlamaForCausalLM:
    """The language model by itself, over its own vocabulary: without the row that was added for the placeholder."""
    config = copy.deepcopy(model.config.text_config)
    config.vocab_size -= 1
    state = {f"model.{name}": tensor for name, tensor in model.model.language_model.state_dict().items()}
    state["model.embed_tokens.weight"] = state["model.embed_tokens.weight"][:-1]
    state["lm_head.weight"] = model.lm_head.weight[:-1]
    llama = LlamaForCausalLM(config).eval()
    llama.load_state_dict(state)
    return llama


class TestImageFeatures:
    def test_merged_patches_are_consecutive_and_have_no_class_token(self, make_model):
        model = make_model(qformer=False)
        outputs = model.get_image_features(pixels(2))
        patches = outputs.last_hidden_state[:, 1:]
        for image, features in enumerate(outputs.pooler_output):
            for token in range(model.config.num_image_tokens):
                four = torch.cat([patches[image, 4 * token + offset] for offset in range(4)])
                expected = F.linear(
                    four, model.model.multi_modal_projector.weight, model.model.multi_modal_projector.bias
                )
                torch.testing.assert_close(features[token], expected)

    def test_qformer_reads_all_patches_and_the_class_token(self, make_model):
        model = make_model()
        outputs = model.get_image_features(pixels(2))
        assert outputs.last_hidden_state.shape == (2, 17, 32)
        queries = model.model.qformer(
            query_embeds=model.model.query_tokens.expand(2, -1, -1), encoder_hidden_states=outputs.last_hidden_state
        ).last_hidden_state
        torch.testing.assert_close(torch.stack(outputs.pooler_output), model.model.multi_modal_projector(queries))

    @both_variants
    def test_norm_after_the_tower_has_its_own_epsilon(self, make_model, tmp_path, qformer):
        model = make_model(qformer)
        block = model.model.vision_tower.encoder.layers[0].layer_norm1
        assert (block.eps, model.model.vision_tower.post_layernorm.eps) == (1e-6, 1e-5)
        before = model.model.vision_tower.encoder.register_forward_hook(lambda _, __, output: seen.append(output[0]))
        seen = []
        outputs = model.get_image_features(pixels(1))
        before.remove()
        torch.testing.assert_close(outputs.last_hidden_state, F.layer_norm(seen[0], (32,), eps=1e-5))
        model.save_pretrained(tmp_path)
        assert AutoModelForImageTextToText.from_pretrained(tmp_path).model.vision_tower.post_layernorm.eps == 1e-5

    def test_position_embeddings_are_interpolated_for_other_sizes(self, make_model):
        model = make_model()
        large = pixels(1, size=84)
        outputs = model.get_image_features(large)
        embeddings = model.model.vision_tower.embeddings
        position = embeddings.position_embedding
        grid = position[:, 1:].reshape(1, 4, 4, -1).permute(0, 3, 1, 2)
        grid = F.interpolate(grid, size=(6, 6), mode="bicubic", align_corners=False).permute(0, 2, 3, 1).flatten(1, 2)
        resized = copy.deepcopy(model)
        resized.model.vision_tower.embeddings.position_embedding = nn.Parameter(
            torch.cat([position[:, :1], grid], dim=1)
        )
        resized.config.vision_config.image_size = resized.model.vision_tower.embeddings.image_size = 84
        torch.testing.assert_close(outputs.last_hidden_state, resized.get_image_features(large).last_hidden_state)

    def test_patches_that_cannot_be_merged(self, make_model):
        with pytest.raises(ValueError, match=r"25 patches, which is not a multiple of token_merge_size \(4\)"):
            make_model(qformer=False).get_image_features(pixels(1, size=70))

    def test_three_projection_layers(self, make_model):
        model = make_model(projector_num_layers=3)
        layers = list(model.model.multi_modal_projector)
        assert [type(layer) for layer in layers] == [nn.Linear] * 3
        assert torch.stack(model.get_image_features(pixels(1)).pooler_output).shape == (1, 6, 32)


class TestForward:
    @both_variants
    @pytest.mark.parametrize("side", ["left", "right"])
    def test_rows_with_zero_one_and_two_images_are_what_they_are_alone(
        self, make_model, make_prompt, pad, qformer, side
    ):
        model = make_model(qformer)
        rows = [
            make_prompt(model, 1, 5, "image", 6, "image", 7),
            make_prompt(model, 1, 9, 10),
            make_prompt(model, 1, "image", 11, 12, 13),
        ]
        images, counts = pixels(3), [2, 0, 1]
        together = model(**pad(rows, side), pixel_values=images).logits
        first = 0
        for row, count, logits in zip(rows, counts, together, strict=True):
            own = images[first : first + count] if count else None
            alone = model(input_ids=torch.tensor([row]), pixel_values=own).logits[0]
            torch.testing.assert_close(logits[-len(row) :] if side == "left" else logits[: len(row)], alone)
            first += count

    @both_variants
    def test_is_the_language_models_own_distribution(self, make_model, make_prompt, qformer):
        model = make_model(qformer)
        ids = torch.tensor([make_prompt(model, 1, 5, "image", 7, 8, 9)])
        labels = torch.where(ids == model.config.image_token_id, -100, ids)
        ours = model(input_ids=ids, pixel_values=pixels(1), labels=labels)

        llama = own_language_model(model)
        features = model.get_image_features(pixels(1)).pooler_output[0]
        embed = llama.get_input_embeddings()
        embeds = torch.cat([embed(torch.tensor([1, 5])), features, embed(torch.tensor([7, 8, 9]))])[None]
        theirs = llama(inputs_embeds=embeds, labels=labels)

        torch.testing.assert_close(ours.logits[..., :-1], theirs.logits)
        torch.testing.assert_close(ours.logits.softmax(-1)[..., :-1], theirs.logits.softmax(-1))
        assert (ours.logits.softmax(-1)[..., -1] == 0).all()
        torch.testing.assert_close(ours.loss, theirs.loss)

    def test_labels_on_placeholders_carry_no_loss(self, make_model, make_prompt):
        model = make_model()
        ids = torch.tensor([make_prompt(model, 1, "image", 7, 8)])
        masked = torch.where(ids == model.config.image_token_id, -100, ids)
        with_placeholders = model(input_ids=ids, pixel_values=pixels(1), labels=ids)
        without = model(input_ids=ids, pixel_values=pixels(1), labels=masked)
        assert with_placeholders.loss == without.loss

    @both_variants
    def test_features_stand_for_pixels(self, make_model, make_prompt, qformer):
        model = make_model(qformer)
        ids = torch.tensor([make_prompt(model, 1, "image", 5, "image", 7)])
        expected = model(input_ids=ids, pixel_values=pixels(2)).logits
        features = model.model.get_vision_features(pixels(2)).pooler_output
        assert features.shape == (2, model.config.num_image_tokens, model.config.projector_input_size)
        outputs = model.get_image_features(pixels(2))
        model.model.vision_tower, model.model.qformer = None, None  # the towers do not run again
        torch.testing.assert_close(model(input_ids=ids, vision_features=features).logits, expected)
        torch.testing.assert_close(model(input_ids=ids, mm_encoder_outputs={"image": outputs}).logits, expected)

    def test_logits_to_keep(self, make_model, make_prompt):
        model = make_model()
        inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 7, 8)]), "pixel_values": pixels(1)}
        full = model(**inputs).logits
        torch.testing.assert_close(model(**inputs, logits_to_keep=2).logits, full[:, -2:])
        torch.testing.assert_close(model(**inputs, logits_to_keep=torch.tensor([0, 8])).logits, full[:, [0, 8]])

    @both_variants
    @pytest.mark.parametrize("images", [0, 1, 3])
    def test_states_both_numbers_where_placeholders_do_not_fit(self, make_model, make_prompt, qformer, images):
        model = make_model(qformer)
        tokens = model.config.num_image_tokens
        ids = torch.tensor([make_prompt(model, 1, "image", 5, "image", 7)])
        expected = f"{2 * tokens} image placeholders, but " + (
            "0 images" if images == 0 else f"the images give {images * tokens}"
        )
        with pytest.raises(ValueError, match=expected):
            model(input_ids=ids, pixel_values=pixels(images) if images else None)
        with pytest.raises(ValueError, match=expected):
            model.generate(input_ids=ids, pixel_values=pixels(images) if images else None, max_new_tokens=1)

    def test_refuses_images_in_two_forms(self, make_model, make_prompt):
        model = make_model()
        features = model.model.get_vision_features(pixels(1)).pooler_output
        with pytest.raises(ValueError, match="Pass the images in one form only"):
            model(
                input_ids=torch.tensor([make_prompt(model, 1, "image")]),
                pixel_values=pixels(1),
                vision_features=features,
            )


class TestTraining:
    def test_frozen_parts_stay_in_eval_mode(self, make_model):
        model = make_model()
        model.requires_grad_(False)
        model.model.multi_modal_projector.requires_grad_(True)
        model.train()
        assert model.training
        assert model.model.multi_modal_projector.training
        for part in (model.model.vision_tower, model.model.qformer, model.model.language_model, model.lm_head):
            assert not any(module.training for module in part.modules())
        model.model.qformer.requires_grad_(True)
        model.train()
        assert all(module.training for module in model.model.qformer.modules())

    def test_frozen_dropout_does_not_wake_up(self, make_model, make_prompt):
        model = make_model()
        assert model.config.qformer_config.hidden_dropout_prob == 0.1
        inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 7)]), "pixel_values": pixels(1)}
        expected = model(**inputs).logits
        model.requires_grad_(False)
        model.model.multi_modal_projector.requires_grad_(True)
        model.train()
        torch.testing.assert_close(model(**inputs).logits, expected)
        model.requires_grad_(True)
        model.train()
        assert not torch.allclose(model(**inputs).logits, expected)

    def test_gradient_checkpointing_works_through_a_frozen_language_model(self, make_model, make_prompt):
        model = make_model()
        model.requires_grad_(False)
        model.model.multi_modal_projector.requires_grad_(True)
        ids = torch.tensor([make_prompt(model, 1, "image", 7, 8)])
        passes = []
        model.model.language_model.layers[0].self_attn.register_forward_hook(lambda *_: passes.append(1))

        def gradient() -> torch.Tensor:
            model.zero_grad()
            passes.clear()
            model.train()
            model(input_ids=ids, pixel_values=pixels(1), labels=ids).loss.backward()
            return model.model.multi_modal_projector.weight.grad.clone()

        plain = gradient()
        assert len(passes) == 1
        model.gradient_checkpointing_enable()
        torch.testing.assert_close(gradient(), plain)
        assert len(passes) == 2  # once forward, once again on the way back


class TestSaving:
    @both_variants
    @pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
    def test_a_fresh_process_gives_the_same_logits(self, make_model, make_prompt, fresh, tmp_path, qformer, tied):
        model = make_model(qformer, text={"tie_word_embeddings": tied})
        ids = make_prompt(model, 1, "image", 7, 8)
        model.save_pretrained(tmp_path, max_shard_size="20KB")
        shards = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
        assert len(set(shards.values())) > 2
        assert ("lm_head.weight" in shards) != tied
        torch.save(pixels(1), tmp_path / "pixels.pt")
        program = (
            "import sys, torch, minigpt4\n"
            "from transformers import AutoModelForImageTextToText\n"
            "folder, ids = sys.argv[1], [int(token) for token in sys.argv[2:]]\n"
            "model, report = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)\n"
            "assert not any(report.values()), report\n"
            "logits = model(input_ids=torch.tensor([ids]), pixel_values=torch.load(folder + '/pixels.pt')).logits\n"
            "torch.save(logits, folder + '/logits.pt')\n"
        )
        run = fresh(program, tmp_path, *ids)
        assert run.returncode == 0, run.stderr
        expected = model(input_ids=torch.tensor([ids]), pixel_values=pixels(1)).logits
        assert torch.equal(torch.load(tmp_path / "logits.pt"), expected)

    @pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
    def test_resizing_keeps_the_placeholder_out(self, make_model, make_prompt, tied):
        model = make_model(text={"tie_word_embeddings": tied})
        inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 7)]), "pixel_values": pixels(1)}
        before = model(**inputs).logits
        model.resize_token_embeddings(120)
        after = model(**inputs).logits
        assert after.shape[-1] == 120 == model.config.text_config.vocab_size
        torch.testing.assert_close(after[..., :101], before)
        assert (after[..., model.config.image_token_id] == torch.finfo(after.dtype).min).all()
        assert (model.lm_head.weight is model.get_input_embeddings().weight) == tied

    def test_lora_saves_loads_and_merges(self, make_model, make_prompt, tmp_path):
        from peft import LoraConfig, PeftModel, get_peft_model

        model = make_model()
        base = copy.deepcopy(model)
        inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 7)]), "pixel_values": pixels(1)}
        plain = model(**inputs).logits
        lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], modules_to_save=["multi_modal_projector"])
        peft = get_peft_model(model, lora)
        touched = {name for name, parameter in peft.named_parameters() if parameter.requires_grad}
        assert all("language_model" in name or "multi_modal_projector" in name for name in touched)
        for parameter in peft.parameters():
            if parameter.requires_grad:
                nn.init.normal_(parameter, std=0.1)
        expected = peft(**inputs).logits
        assert not torch.allclose(expected, plain)
        peft.save_pretrained(tmp_path)
        loaded = PeftModel.from_pretrained(base, tmp_path)
        torch.testing.assert_close(loaded(**inputs).logits, expected)
        torch.testing.assert_close(loaded.merge_and_unload()(**inputs).logits, expected)

    def test_adapters_of_several_names(self, make_model, make_prompt, tmp_path):
        from peft import LoraConfig, get_peft_model

        model = make_model()
        inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 7)]), "pixel_values": pixels(1)}
        expected = {}
        for name in ("default", "b"):  # "b" occurs in many keys
            lora = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
            peft = get_peft_model(copy.deepcopy(model), lora)
            expected[name] = peft(**inputs).logits
            peft.save_pretrained(tmp_path / name)
        for name in expected:
            model.load_adapter(tmp_path / name, adapter_name=name)
        for name, logits in expected.items():
            model.set_adapter(name)
            torch.testing.assert_close(model(**inputs).logits, logits)

    def test_float16_is_saved_and_loaded_as_float16(self, make_model, tmp_path):
        make_model().save_pretrained(tmp_path / "float32")
        loaded = AutoModelForImageTextToText.from_pretrained(tmp_path / "float32", dtype=torch.float16)
        loaded.save_pretrained(tmp_path / "float16")
        again = AutoModelForImageTextToText.from_pretrained(tmp_path / "float16")
        assert again.dtype == again.lm_head.weight.dtype == torch.float16
        assert again.model.qformer.dtype == torch.float32

    def test_disk_offload(self, make_model, make_prompt, tmp_path):
        model = make_model()
        inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 7)]), "pixel_values": pixels(1)}
        model.save_pretrained(tmp_path / "model")
        device_map = {
            "model.vision_tower": "cpu",
            "model.qformer": "disk",
            "model.query_tokens": "cpu",
            "model.multi_modal_projector": "cpu",
            "model.language_model": "disk",
            "lm_head": "cpu",
        }
        offloaded = AutoModelForImageTextToText.from_pretrained(
            tmp_path / "model", device_map=device_map, offload_folder=tmp_path / "offload"
        )
        torch.testing.assert_close(offloaded(**inputs).logits, model(**inputs).logits)


class TestLanguageModels:
    @pytest.mark.parametrize(
        "text",
        [
            {"model_type": "mistral"},
            {"model_type": "qwen2", "tie_word_embeddings": True},
            {"model_type": "qwen3"},
            {"model_type": "gemma", "head_dim": 8},
        ],
        ids=lambda text: text["model_type"],
    )
    def test_takes_any_with_a_plain_head(self, make_model, make_prompt, text):
        model = make_model(text=text)
        ids = torch.tensor([make_prompt(model, 1, "image", 7, 8)])
        outputs = model(input_ids=ids, pixel_values=pixels(1), labels=ids)
        assert torch.isfinite(outputs.loss)
        assert (
            model.generate(input_ids=ids, pixel_values=pixels(1), max_new_tokens=3, pad_token_id=0).shape[1]
            <= ids.shape[1] + 3
        )

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ({"model_type": "phi"}, "'phi' has a bias in its head"),
            ({"model_type": "gemma2"}, "'gemma2' changes its logits .final_logit_softcapping=30.0"),
            ({"model_type": "cohere"}, "'cohere' changes its logits .logit_scale=0.0625"),
            ({"model_type": "granite", "logits_scaling": 8.0}, "'granite' changes its logits .logits_scaling=8.0"),
            ({"model_type": "deepseek_v4"}, "'deepseek_v4' reads token ids inside its layers"),
            ({"model_type": "minimax"}, "'minimax' keeps a cache of its own kind"),
            ({"model_type": "qwen2", "num_attention_heads": 0}, "'qwen2' cannot be made from its configuration"),
            ({"model_type": "opt"}, "'opt' has no embed_tokens"),
            ({"model_type": "t5"}, "'t5' is not a causal one"),
        ],
        ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
    )
    def test_refuses_one_that_would_run_wrongly(self, make_model, text, message):
        with pytest.raises(ValueError, match=message):
            make_model(text=text)

    def test_refuses_a_vocabulary_without_a_row_for_the_placeholder(self, make_model):
        with pytest.raises(ValueError, match="image_token_id is 101, but the language model has only 101 rows"):
            make_model(image_token_id=101)


class TestDispatch:
    @pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated", "ignore:torch.quantize_per_tensor")
    @both_variants
    @pytest.mark.parametrize("dtype", [torch.qint8, torch.float16], ids=str)
    def test_dynamic_quantization(self, make_model, make_prompt, qformer, dtype):
        model = make_model(qformer)
        ids = torch.tensor([make_prompt(model, 1, "image", 7, 8)])
        quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=dtype)
        assert not any(type(module) is nn.Linear for module in quantized.modules())
        logits = quantized(input_ids=ids, pixel_values=pixels(1)).logits
        kept = torch.arange(logits.shape[-1]) != model.config.image_token_id
        expected = model(input_ids=ids, pixel_values=pixels(1)).logits
        assert (logits - expected)[..., kept].std() < 0.2 * expected[..., kept].std()
        features = model.model.get_vision_features(pixels(1)).pooler_output.bfloat16()
        assert quantized(input_ids=ids, vision_features=features).logits.isfinite().all()
        assert quantized.generate(input_ids=ids, pixel_values=pixels(1), max_new_tokens=3).shape[1] > ids.shape[1]

    @pytest.mark.parametrize("room", ["half", pytest.param("none", marks=WHOLLY_ON_DISK)])
    def test_split_by_itself_without_a_warning(self, make_model, make_prompt, tmp_path, recwarn, room):
        model = make_model()
        ids = torch.tensor([make_prompt(model, 1, "image", 7, 8)])
        expected = model.generate(input_ids=ids, pixel_values=pixels(1), max_new_tokens=3)
        model.save_pretrained(tmp_path / "model")
        room = {"half": model.get_memory_footprint() // 2, "none": 10}[room]
        split = AutoModelForImageTextToText.from_pretrained(
            tmp_path / "model",
            device_map="auto",
            max_memory={"cpu": room, "disk": 10**9},
            offload_folder=tmp_path / "offload",
        )
        assert "disk" in split.hf_device_map.values()
        assert not [warning for warning in recwarn if "query_tokens" in str(warning.message)]
        assert torch.equal(split.generate(input_ids=ids, pixel_values=pixels(1), max_new_tokens=3), expected)

    @torch.no_grad()  # flex attention has no backward on a CPU
    @both_variants
    @pytest.mark.parametrize("attention", ["sdpa", "flex_attention"])
    def test_attention_implementations_agree_with_eager(self, make_model, make_prompt, pad, qformer, attention):
        model = make_model(qformer)
        inputs = pad([make_prompt(model, 1, "image", 7, 8), make_prompt(model, 1, 9)], "right")
        model.set_attn_implementation("eager")
        expected = model(**inputs, pixel_values=pixels(1)).logits
        model.set_attn_implementation(attention)
        real = inputs["attention_mask"].bool()
        torch.testing.assert_close(
            model(**inputs, pixel_values=pixels(1)).logits[real], expected[real], atol=1e-4, rtol=1e-4
        )

    def test_flash_attention_reaches_all_but_the_qformer(self, make_config):
        config = make_config()
        config._attn_implementation = {"": "sdpa", "qformer_config": "flash_attention_2"}
        assert config.qformer_config._attn_implementation == "flash_attention_2"
        from minigpt4 import MiniGPT4ForConditionalGeneration

        MiniGPT4ForConditionalGeneration(config)
        assert config.qformer_config._attn_implementation == "sdpa"

    @both_variants
    @pytest.mark.parametrize("bits", [4, 8])
    @torch.no_grad()
    def test_quantization_leaves_towers_and_projection_alone(self, make_model, make_prompt, tmp_path, qformer, bits):
        model = make_model(qformer, text={"hidden_size": 128})  # bitsandbytes packs whole blocks only
        model.save_pretrained(tmp_path / "plain")
        asked = BitsAndBytesConfig(**{f"load_in_{bits}bit": True})
        quantized = AutoModelForImageTextToText.from_pretrained(tmp_path / "plain", quantization_config=asked)
        assert asked.llm_int8_skip_modules is None  # what the caller gave stays the caller's
        inputs = {"input_ids": torch.tensor([make_prompt(model, 1, "image", 7)]), "pixel_values": pixels(1)}
        quantized.save_pretrained(tmp_path / "quantized")
        for loaded in (quantized, AutoModelForImageTextToText.from_pretrained(tmp_path / "quantized")):
            kinds = {name: type(module) for name, module in loaded.named_modules() if isinstance(module, nn.Linear)}
            assert {name for name, kind in kinds.items() if kind is not nn.Linear} == {
                name for name in kinds if ".language_model." in name
            }
            assert torch.isfinite(loaded(**inputs).logits).all()

    def test_quantization_as_a_dictionary(self, make_model, tmp_path):
        make_model().save_pretrained(tmp_path)
        asked = {"load_in_8bit": True}
        quantized = AutoModelForImageTextToText.from_pretrained(tmp_path, quantization_config=asked)
        assert asked == {"load_in_8bit": True}
        assert type(quantized.model.vision_tower.encoder.layers[0].mlp.fc1) is nn.Linear
        assert type(quantized.model.language_model.layers[0].mlp.up_proj) is not nn.Linear

    def test_quantization_of_what_the_caller_names(self, make_model, tmp_path):
        make_model().save_pretrained(tmp_path)
        own = BitsAndBytesConfig(load_in_4bit=True, llm_int8_skip_modules=["lm_head", "model.language_model"])
        quantized = AutoModelForImageTextToText.from_pretrained(tmp_path, quantization_config=own)
        assert type(quantized.model.vision_tower.encoder.layers[0].mlp.fc1) is not nn.Linear
        assert type(quantized.model.language_model.layers[0].mlp.up_proj) is nn.Linear


def test_the_example_of_the_class():
    example = "\n".join(re.findall(r"^ *>>> (.*)$", MiniGPT4ForConditionalGeneration.__doc__, re.MULTILINE))
    exec(example, names := {})
    assert names["answer"][0].startswith("The image shows")


def test_any_to_any(tiny_checkpoint):
    model = AutoModelForMultimodalLM.from_pretrained(tiny_checkpoint)
    assert isinstance(model, MiniGPT4ForConditionalGeneration)
