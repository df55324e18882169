"""transformers' own image processor tests on MiniGPT-4's image processors: Pillow's, and torchvision's where it is."""

import subprocess
import unittest
from unittest.mock import patch

from transformers.image_processing_backends import TorchvisionBackend
from transformers.utils import is_torchvision_available
from transformers_tests.test_image_processing_common import ImageProcessingTester, ImageProcessingTestMixin

from minigpt4.processing.image_processing_minigpt4 import MiniGPT4ImageProcessor
from minigpt4.processing.image_processing_pil_minigpt4 import MiniGPT4ImageProcessorPil


class MiniGPT4ImageProcessingTester(ImageProcessingTester):
    def __init__(self, parent, **kwargs):
        super().__init__(parent, **{"size": {"height": 20, "width": 20}, **kwargs})

    def _get_image_processing_classes(self):
        # The mixin looks them up by the name of the folder that it stands in.
        classes = {"pil": MiniGPT4ImageProcessorPil}
        if is_torchvision_available():
            classes["torchvision"] = MiniGPT4ImageProcessor
        return classes


class MiniGPT4ImageProcessingTest(ImageProcessingTestMixin, unittest.TestCase):
    image_processor_tester_class = MiniGPT4ImageProcessingTester
    test_cast_dtype = True

    def test_new_models_require_torchvision_backend(self):
        # There is one, also where torchvision is not installed to run it.
        assert issubclass(MiniGPT4ImageProcessor, TorchvisionBackend)

    def test_pil_can_run_without_torchvision(self):
        def run(command, **kwargs):
            # In its fresh process nothing has made the Auto classes know MiniGPT-4 yet.
            python, option, script, *arguments = command
            return original([python, option, f"import minigpt4\n{script}", *arguments], **kwargs)

        original = subprocess.run
        with patch.object(subprocess, "run", run):
            super().test_pil_can_run_without_torchvision()
