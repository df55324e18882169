"""transformers' own processor tests on MiniGPT-4's processor, with the chat template of each family."""

import unittest

from tokenizers import Tokenizer
from tokenizers.models import BPE
from transformers_tests.test_processing_common import ProcessorTesterMixin

from minigpt4 import MiniGPT4ImageProcessorPil, MiniGPT4Processor
from minigpt4.processing.templates import chat_template
from minigpt4.processing.tokenization import exact_tokenizer


class MiniGPT4ProcessorTests(ProcessorTesterMixin):
    processor_class = MiniGPT4Processor
    family: str

    @classmethod
    def _setup_tokenizer(cls):
        pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *map(chr, range(33, 127))]
        vocab = {piece: index for index, piece in enumerate(pieces)}
        backend = Tokenizer(BPE(vocab=vocab, merges=[], unk_token="<unk>", fuse_unk=True, byte_fallback=True))
        return exact_tokenizer(backend, pad_token="<0xFF>")

    @classmethod
    def _setup_image_processor(cls):
        return MiniGPT4ImageProcessorPil(size={"height": 28, "width": 28})

    @classmethod
    def prepare_processor_dict(cls):
        return {"chat_template": chat_template(cls.family), "num_image_tokens": 4}


class VicunaProcessorTest(MiniGPT4ProcessorTests, unittest.TestCase):
    family = "vicuna"


class Llama2ProcessorTest(MiniGPT4ProcessorTests, unittest.TestCase):
    family = "llama2"


class V2ProcessorTest(MiniGPT4ProcessorTests, unittest.TestCase):
    family = "v2"
