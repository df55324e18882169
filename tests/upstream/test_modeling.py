"""transformers' own model tests on MiniGPT-4: with and without a Q-Former, and with tied embeddings."""

import copy
import functools
import shutil
import unittest
from unittest.mock import PropertyMock, patch

import pytest
import torch
from transformers import GenerationConfig, set_seed
from transformers.testing_utils import torch_device
from transformers_tests import test_modeling_common as common
from transformers_tests import test_pipeline_mixin as pipelines
from transformers_tests import test_tensor_parallel_mixin as tensor_parallel
from transformers_tests.generation.test_utils import GenerationTesterMixin
from transformers_tests.test_configuration_common import ConfigTester
from transformers_tests.test_memory_cleanup_mixin import MemoryCleanupMixin
from transformers_tests.test_modeling_common import ModelTesterMixin, floats_tensor, ids_tensor
from transformers_tests.test_pipeline_mixin import PipelineTesterMixin
from transformers_tests.test_tensor_parallel_mixin import TensorParallelTesterMixin
from transformers_tests.test_training_mixin import TrainingTesterMixin

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration, MiniGPT4Model


def text_ids(shape, vocab_size):
    """Random text. It must not name the placeholder, which the model refuses where there is no image for it."""
    return ids_tensor(shape, vocab_size - 4) + 4


class MiniGPT4ModelTester:
    """A tiny model and a batch for it: rows of four image tokens and four text tokens.

    `variant` holds arguments of the configuration that go before those that stand here.
    """

    is_training = True
    batch_size = 7  # a test that wants seven rows fills up smaller batches with pixels and text at random
    num_text_tokens = 4
    num_image_tokens = 4
    vision_config = {
        "image_size": 16,
        "patch_size": 4,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    text_config = {
        "model_type": "llama",
        "vocab_size": 99,
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "max_position_embeddings": 512,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    qformer_config = {
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": 99,
    }
    image_token_id = 3
    hidden_size = text_config["hidden_size"]
    num_hidden_layers = text_config["num_hidden_layers"]
    num_attention_heads = text_config["num_attention_heads"]
    seq_length = num_image_tokens + num_text_tokens
    causal_lm_class = MiniGPT4ForConditionalGeneration

    def __init__(self, parent, variant):
        self.parent = parent
        self.variant = variant

    def get_config(self):
        arguments = {
            "vision_config": self.vision_config,
            "qformer_config": self.qformer_config,
            "text_config": self.text_config,
            "num_query_tokens": self.num_image_tokens,
            "image_token_id": self.image_token_id,
        }
        return MiniGPT4Config(**copy.deepcopy({**arguments, **self.variant}))

    def prepare_config_and_inputs_for_common(self):
        config = self.get_config()
        image_size = config.vision_config.image_size
        input_ids = text_ids([self.batch_size, self.seq_length], config.text_config.vocab_size)
        input_ids[:, : self.num_image_tokens] = config.image_token_id
        return config, {
            "input_ids": input_ids,
            "attention_mask": input_ids.ne(config.text_config.pad_token_id).to(torch_device),
            "pixel_values": floats_tensor([self.batch_size, 3, image_size, image_size]),
        }


@pytest.fixture(autouse=True, scope="class")
def checkpoint_for_pipelines(request, tiny_checkpoint, tmp_path_factory):
    """The pipeline tests load a checkpoint of the class under test from this folder instead of the Hub."""
    root = tmp_path_factory.mktemp("tiny_models")
    folder = root / "minigpt4" / "MiniGPT4ForConditionalGeneration"
    shutil.copytree(tiny_checkpoint, folder)
    if request.cls is MiniGPT4WithoutQFormerModelTest:
        parts = MiniGPT4Config.from_pretrained(folder).to_dict()
        config = MiniGPT4Config(**{**parts, "qformer_config": None, "token_merge_size": 1})
        model = MiniGPT4ForConditionalGeneration(config)
        model.generation_config = GenerationConfig.from_pretrained(folder)
        model.save_pretrained(folder)
    with patch.object(pipelines, "TRANSFORMERS_TINY_MODEL_PATH", str(root)):
        yield


class MiniGPT4ModelTests(
    MemoryCleanupMixin,
    ModelTesterMixin,
    GenerationTesterMixin,
    PipelineTesterMixin,
    TrainingTesterMixin,
    TensorParallelTesterMixin,
):
    all_model_classes = (MiniGPT4Model, MiniGPT4ForConditionalGeneration)
    additional_model_inputs = ("pixel_values",)
    pipeline_model_mapping = {"image-text-to-text": MiniGPT4ForConditionalGeneration}
    model_tester = None
    variant: dict
    run_under_no_grad = False  # these classes train
    test_can_init_all_missing_weights_before_2023 = True  # by default it runs only on files with a dated copyright
    _is_composite = True

    def setUp(self):
        super().setUp()
        self.model_tester = MiniGPT4ModelTester(self, self.variant)
        self.config_tester = ConfigTester(
            self,
            config_class=MiniGPT4Config,
            has_text_modality=False,
            common_properties=["image_token_id", "num_query_tokens", "token_merge_size", "num_image_tokens"],
            image_token_id=MiniGPT4ModelTester.image_token_id,
        )

        placeholder_free = patch.object(common, "ids_tensor", text_ids)
        placeholder_free.start()
        self.addCleanup(placeholder_free.stop)

        allowed = patch.object(tensor_parallel, "TP_DISTRIBUTED_TEST_MODEL_TYPES", None)  # no list, all models
        allowed.start()
        self.addCleanup(allowed.stop)

    def test_config(self):
        self.config_tester.run_common_tests()

    def test_training_overfit(self):
        # Its text has the ids 1 to 19, so the placeholder takes another one; and it asks the outermost configuration
        # for the size of the vocabulary.
        self.model_tester.image_token_id = 98
        size = PropertyMock(return_value=self.model_tester.text_config["vocab_size"])
        with patch.object(MiniGPT4Config, "vocab_size", size, create=True):
            super().test_training_overfit()

    def _get_tp_config(self, *args, **kwargs):
        # These tests draw their text in processes of their own: the placeholder is an id that they do not draw.
        set_seed(0)
        vocab_size = self.model_tester.text_config["vocab_size"]
        text = torch.randint(0, vocab_size, (2, 64))
        self.model_tester.image_token_id = next(token for token in range(vocab_size) if token not in text)
        return super()._get_tp_config(*args, **kwargs)


class MiniGPT4ModelTest(MiniGPT4ModelTests, unittest.TestCase):
    variant: dict = {}


class MiniGPT4WithoutQFormerModelTest(MiniGPT4ModelTests, unittest.TestCase):
    variant = {"qformer_config": None}


class MiniGPT4TiedModelTest(MiniGPT4ModelTests, unittest.TestCase):
    """Another language model, with tied embeddings, and the longer projection of the paper's ablation."""

    variant = {
        "text_config": {**MiniGPT4ModelTester.text_config, "model_type": "qwen2", "tie_word_embeddings": True},
        "projector_num_layers": 3,
    }


@pytest.mark.parametrize("test_class", [MiniGPT4ModelTest, MiniGPT4WithoutQFormerModelTest])
@pytest.mark.parametrize(
    "test",
    [
        "test_save_load",
        "test_batching_equivalence",
        "test_training",
        "test_training_gradient_checkpointing",
        "test_causal_lm_loss_honors_shift_labels",
        "test_enable_input_require_grads_with_gradient_checkpointing",
        "test_get_image_features_pooler_output",
        "test_training_overfit",
        "test_greedy_generate",
        "test_beam_search_generate",
        "test_pipeline_image_text_to_text",
    ],
)
def test_a_broken_model_is_noticed(test_class, test, monkeypatch):
    """The mixins pass over classes that they do not recognise: these tests really run ours."""
    for method in ("forward", "get_image_features"):

        @functools.wraps(getattr(MiniGPT4ForConditionalGeneration, method))
        def broken(*args, **kwargs):
            raise RuntimeError("broken on purpose")

        monkeypatch.setattr(MiniGPT4ForConditionalGeneration, method, broken)
    result = unittest.TestResult()
    test_class(test).run(result)
    assert not result.skipped
    assert any("broken on purpose" in trace for _, trace in result.errors)
