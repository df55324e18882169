"""Checkpoints in float16 on a CPU: computed in what it is fast with, and the user is told."""

import copy
import shutil

import pytest
import torch
from PIL import Image
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from minigpt4.checkpoints.loading import load
from minigpt4.checkpoints.precision import PrecisionWarning
from minigpt4.checkpoints.widening import FEW_ROWS, widen_products
from minigpt4.inference.answering import answer
from minigpt4.inference.serving.remembering import RememberingMiniGPT4
from minigpt4.inference.turns import user_turn


@pytest.fixture(scope="module")
def half(tiny_checkpoint, tmp_path_factory):
    """The tiny checkpoint as it would be converted from published files: in float16."""
    folder = tmp_path_factory.mktemp("half") / "checkpoint"
    shutil.copytree(tiny_checkpoint, folder)
    load(tiny_checkpoint)[0].half().save_pretrained(folder)
    return folder


@pytest.fixture
def cpu(monkeypatch):
    """A CPU with these instructions, and so many free bytes."""

    def be(free: int = 10**12, **instructions: bool) -> None:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: instructions)
        monkeypatch.setattr("accelerate.utils.get_max_memory", lambda: {"cpu": free})

    return be


@pytest.mark.parametrize(
    ("instructions", "expected"),
    [
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
        ({"bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "avx2": True}, torch.float32),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_the_cpu_is_fast_with(half, cpu, instructions, expected):
    cpu(**instructions)
    with pytest.warns(PrecisionWarning, match=str(expected).removeprefix("torch.")):
        model, _ = load(half)
    assert {parameter.dtype for parameter in model.parameters()} == {expected}


def test_where_float32_does_not_fit(half, cpu):
    cpu(free=10_000)
    with pytest.warns(PrecisionWarning, match="computing in bfloat16, .* float32 does not fit into the free memory"):
        model, _ = load(half)
    assert model.dtype == torch.bfloat16


def test_a_choice_and_other_precisions_are_left_alone(half, tiny_checkpoint, recwarn):
    assert load(half, dtype="float16")[0].dtype == torch.float16
    assert load(half, dtype="bfloat16")[0].dtype == torch.bfloat16
    assert load(tiny_checkpoint)[0].dtype == torch.float32
    assert RememberingMiniGPT4.from_pretrained(half, dtype=torch.float16).dtype == torch.float16
    assert not [each for each in recwarn if each.category is PrecisionWarning]


def test_a_server(half, cpu):
    cpu(bf16=True)
    with pytest.warns(PrecisionWarning):
        assert RememberingMiniGPT4.from_pretrained(half, dtype="auto").dtype == torch.bfloat16


def test_the_command_line_says_so_in_one_line(half, cpu, command, tmp_path):
    cpu(avx2=True)
    picture = tmp_path / "picture.png"
    Image.new("RGB", (28, 28)).save(picture)
    line = "minigpt4: float16 is slow on a CPU: computing in float32 (--dtype chooses another)\n"
    said = command("describe", picture, "--model", half, "--json")
    assert (said.code, said.err.count(line)) == (0, 1)
    chosen = command("describe", picture, "--model", half, "--json", "--dtype", "float32")
    assert (chosen.out, line in chosen.err) == (said.out, False)
    assert command("describe", picture, "--model", half, "--dtype", "int3").code == 2


class Products(TorchFunctionMode):
    """The precisions in which layers compute: of many rows, and of the few of a step."""

    def __init__(self):
        super().__init__()
        self.many, self.few = set(), set()

    def __torch_function__(self, function, types, arguments=(), settings=None):
        if function in (functional.linear, functional.conv2d, torch.conv2d):
            rows = arguments[0].numel() // arguments[0].shape[-1]
            (self.many if rows > FEW_ROWS else self.few).add((arguments[0].dtype, arguments[1].dtype))
        return function(*arguments, **(settings or {}))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_many_rows_are_computed_in_float32_where_the_cpu_is_slow_with_less(half, cpu, dtype):
    stored, wide = getattr(torch, dtype), torch.float32
    cpu(avx2=True)
    model, processor = load(half, dtype=dtype)
    chat = [user_turn("What is this?", Image.new("RGB", (28, 28), "red"))]
    with Products() as seen:
        [made] = answer(model, processor, [chat], max_new_tokens=3)
    assert seen.many == {(wide, wide)}
    assert (stored, stored) in seen.few
    assert model.dtype == stored
    cpu(avx512_bf16=True)
    with Products() as seen:
        answer(load(half, dtype=dtype)[0], processor, [chat], max_new_tokens=3)
    assert (stored, stored) in seen.many
    assert made.text


def test_widened_products_are_at_least_as_exact():
    torch.manual_seed(0)
    layer, rows = torch.nn.Linear(512, 64).bfloat16(), torch.randn(2, 40, 512).bfloat16()
    convolution, picture = torch.nn.Conv2d(3, 8, 4, stride=4).bfloat16(), torch.randn(2, 3, 16, 16).bfloat16()
    with torch.no_grad():
        expected = [copy.deepcopy(each).double()(x.double()) for each, x in ((layer, rows), (convolution, picture))]
        plain = [layer(rows), convolution(picture)]
        widen_products(torch.nn.ModuleList([layer, convolution]))
        found = [copy.deepcopy(each)(x) for each, x in ((layer, rows), (convolution, picture))]
    for exact, before, after in zip(expected, plain, found, strict=True):
        assert after.dtype == torch.bfloat16
        assert (after - exact).abs().max() <= (before - exact).abs().max()
