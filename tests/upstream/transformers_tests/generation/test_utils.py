"""Generation, as transformers' `GenerationTesterMixin` tests it: the sdist leaves it out, so this one is ours.

`ModelTesterMixin` asks every model that can generate to inherit it.
"""

import copy

import torch
from transformers import DynamicCache, StaticCache, set_seed
from transformers.testing_utils import torch_device


class GenerationTesterMixin:
    max_new_tokens = 3

    def generative_models(self):
        """Each generative class, in eval mode with its own seeded weights, and a batch of two rows for it."""
        for model_class in self.all_generative_model_classes:
            set_seed(0)
            config, inputs = self.model_tester.prepare_config_and_inputs_for_common()
            # Without an end token the number of new tokens is known; wide weights make the answers differ.
            config.get_text_config().eos_token_id = None
            config.get_text_config().initializer_range = 1.0
            model = model_class(config).to(torch_device).eval()
            model.generation_config.eos_token_id = None
            inputs = {name: value[:2] for name, value in self._prepare_for_class(inputs, model_class).items()}
            yield model, inputs

    def generate(self, model, inputs, **kwargs):
        kwargs = {"do_sample": False, "max_new_tokens": self.max_new_tokens, "return_dict_in_generate": True, **kwargs}
        return model.generate(**inputs, **kwargs)

    def assert_same_answers(self, first, second):
        assert first.sequences.tolist() == second.sequences.tolist()
        for expected, scores in zip(first.scores, second.scores, strict=True):
            torch.testing.assert_close(scores, expected, rtol=1e-3, atol=1e-3)

    def test_greedy_generate(self):
        """Greedy search is what a loop over the bare forward pass gives, and reports all that it is asked for."""
        for model, inputs in self.generative_models():
            model.set_attn_implementation("eager")  # the one that gives attentions
            wanted = {"output_scores": True, "output_logits": True, "output_attentions": True}
            outputs = self.generate(model, inputs, output_hidden_states=True, **wanted)
            expected = copy.copy(inputs)
            for step in range(self.max_new_tokens):
                with torch.no_grad():
                    logits = model(**expected).logits[:, -1].float()
                torch.testing.assert_close(outputs.logits[step], logits, rtol=1e-3, atol=1e-3)
                expected["input_ids"] = torch.cat([expected["input_ids"], logits.argmax(-1, keepdim=True)], dim=-1)
                mask = expected["attention_mask"]
                expected["attention_mask"] = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=-1)
            assert outputs.sequences.tolist() == expected["input_ids"].tolist()

            text = model.config.get_text_config()
            for steps in (outputs.scores, outputs.attentions, outputs.hidden_states):
                assert len(steps) == self.max_new_tokens
            assert len(outputs.attentions[0]) == text.num_hidden_layers
            assert len(outputs.hidden_states[0]) == text.num_hidden_layers + 1
            assert isinstance(outputs.past_key_values, DynamicCache)
            length = inputs["input_ids"].shape[1] + self.max_new_tokens - 1
            assert outputs.past_key_values.get_seq_length() == length

    def test_sample_generate(self):
        for model, inputs in self.generative_models():
            answers = []
            for seed in (0, 0, 1):
                set_seed(seed)
                answers.append(self.generate(model, inputs, do_sample=True, num_return_sequences=2, max_new_tokens=8))
            assert answers[0].sequences.shape == (4, inputs["input_ids"].shape[1] + 8)
            assert answers[0].sequences.tolist() == answers[1].sequences.tolist()
            assert answers[0].sequences.tolist() != answers[2].sequences.tolist()

    def test_beam_search_generate(self):
        """A beam's score is the mean log-probability that the bare forward pass gives to its new tokens."""
        for model, inputs in self.generative_models():
            beams = self.generate(
                model, inputs, num_beams=3, num_return_sequences=2, output_scores=True, length_penalty=1.0
            )
            prompt = inputs["input_ids"].shape[1]
            scores = beams.sequences_scores.view(2, 2)
            assert (scores[:, 0] >= scores[:, 1]).all()
            again = {name: value.repeat_interleave(2, dim=0) for name, value in inputs.items()}
            again["input_ids"] = beams.sequences
            again["attention_mask"] = torch.ones_like(beams.sequences)
            with torch.no_grad():
                log_probs = model(**again).logits[:, prompt - 1 : -1].float().log_softmax(-1)
            taken = log_probs.gather(-1, beams.sequences[:, prompt:, None])[..., 0]
            torch.testing.assert_close(beams.sequences_scores, taken.mean(-1), rtol=1e-3, atol=1e-3)

    def test_beam_sample_generate(self):
        for model, inputs in self.generative_models():
            set_seed(0)
            outputs = self.generate(model, inputs, do_sample=True, num_beams=2, output_scores=True)
            assert outputs.sequences.shape == (2, inputs["input_ids"].shape[1] + self.max_new_tokens)
            assert outputs.sequences_scores.isfinite().all()

    def test_generate_with_and_without_cache(self):
        for model, inputs in self.generative_models():
            with_cache = self.generate(model, inputs, output_scores=True)
            self.assert_same_answers(with_cache, self.generate(model, inputs, use_cache=False, output_scores=True))

    def test_generate_with_static_cache(self):
        for model, inputs in self.generative_models():
            dynamic = self.generate(model, inputs, output_scores=True)
            static = self.generate(model, inputs, cache_implementation="static", output_scores=True)
            assert isinstance(static.past_key_values, StaticCache)
            self.assert_same_answers(dynamic, static)

    def test_generate_compile_model_forward_fullgraph(self):
        """The prefill and the steps compile without a graph break; the backend that runs the graphs is no concern."""
        for model, inputs in self.generative_models():
            expected = self.generate(model, inputs, cache_implementation="static", output_scores=True)
            torch.compiler.reset()
            model.forward = torch.compile(model.forward, fullgraph=True, backend="eager")
            compiled = self.generate(model, inputs, cache_implementation="static", output_scores=True)
            self.assert_same_answers(expected, compiled)

    def test_generate_matches_across_attention_implementations(self):
        for model, inputs in self.generative_models():
            model.set_attn_implementation("eager")
            eager = self.generate(model, inputs, output_scores=True)
            model.set_attn_implementation("sdpa")
            self.assert_same_answers(eager, self.generate(model, inputs, output_scores=True))

    def test_left_padding_compatibility(self):
        for model, inputs in self.generative_models():
            expected = self.generate(model, inputs, output_scores=True)
            padding = torch.full_like(inputs["input_ids"][:, :2], model.config.get_text_config().pad_token_id)
            padded = dict(inputs)
            padded["input_ids"] = torch.cat([padding, inputs["input_ids"]], dim=-1)
            mask = inputs["attention_mask"]
            padded["attention_mask"] = torch.cat([torch.zeros_like(padding).to(mask.dtype), mask], dim=-1)
            outputs = self.generate(model, padded, output_scores=True)
            outputs.sequences = outputs.sequences[:, 2:]
            self.assert_same_answers(expected, outputs)

    def test_generate_continue_from_past_key_values(self):
        for model, inputs in self.generative_models():
            whole = self.generate(model, inputs, max_new_tokens=4)
            first = self.generate(model, inputs, max_new_tokens=2)
            mask = torch.ones_like(first.sequences)
            rest = {"input_ids": first.sequences, "attention_mask": mask, "past_key_values": first.past_key_values}
            second = self.generate(model, rest, max_new_tokens=2)
            assert second.sequences.tolist() == whole.sequences.tolist()

    def test_generate_from_inputs_embeds(self):
        """Embeddings of a text give what its ids give; only the new tokens come back."""
        for model, inputs in self.generative_models():
            text = inputs["input_ids"][:, self.model_tester.num_image_tokens :]
            from_ids = self.generate(model, {"input_ids": text}, output_scores=True)
            embeds = model.get_input_embeddings()(text)
            for cache in (None, "static"):
                options = {"output_scores": True, "cache_implementation": cache}
                from_embeds = self.generate(model, {"inputs_embeds": embeds}, **options)
                from_embeds.sequences = torch.cat([text, from_embeds.sequences], dim=-1)
                self.assert_same_answers(from_ids, from_embeds)

    def test_prompt_lookup_decoding_matches_greedy_search(self):
        for model, inputs in self.generative_models():
            inputs = {name: value[:1] for name, value in inputs.items()}  # it works on one row
            greedy = self.generate(model, inputs, max_new_tokens=6)
            lookup = self.generate(model, inputs, max_new_tokens=6, prompt_lookup_num_tokens=2)
            assert lookup.sequences.tolist() == greedy.sequences.tolist()

    def test_assisted_decoding_matches_greedy_search(self):
        for model, inputs in self.generative_models():
            inputs = {name: value[:1] for name, value in inputs.items()}  # it works on one row
            greedy = self.generate(model, inputs, max_new_tokens=6)
            assisted = self.generate(model, inputs, max_new_tokens=6, assistant_model=model)
            assert assisted.sequences.tolist() == greedy.sequences.tolist()

    def test_end_of_sequence_ends_each_row_by_itself(self):
        for model, inputs in self.generative_models():
            free = self.generate(model, inputs).sequences
            prompt, pad = inputs["input_ids"].shape[1], model.config.get_text_config().pad_token_id
            end = next(token for token in free[0, prompt:].tolist() if token not in free[1, prompt:])
            answer = free[0].tolist()
            answer = answer[: answer.index(end, prompt) + 1]
            outputs = self.generate(model, inputs, eos_token_id=end, pad_token_id=pad)
            assert outputs.sequences[0].tolist() == answer + [pad] * (free.shape[1] - len(answer))
            assert outputs.sequences[1].tolist() == free[1].tolist()

    def test_generate_methods_with_logits_to_keep(self):
        """`generate` asks for the last logits only, and they are the ones that the whole forward pass gives."""
        for model, inputs in self.generative_models():
            with torch.no_grad():
                whole, last = model(**inputs).logits, model(**inputs, logits_to_keep=1).logits
            assert last.shape[1] == 1
            torch.testing.assert_close(last, whole[:, -1:])
            outputs = self.generate(model, inputs, output_logits=True)
            torch.testing.assert_close(outputs.logits[0], whole[:, -1].float(), rtol=1e-3, atol=1e-3)
