import re

import pytest
from trl import TrlParser

from minigpt4.training import (
    MASKS,
    DataArguments,
    ModelArguments,
    SequenceArguments,
    StageArguments,
    load_recipe,
    read_recipe,
)
from minigpt4.training.recipe import parse_overrides, read_values, shipped_recipes
from minigpt4.training.recipe_keys import recipe_keys


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_parse(name):
    recipe = read_recipe(name)
    assert recipe.name == name
    assert recipe.args.output_dir == f"runs/{name}"
    assert recipe.args.mask in MASKS
    assert recipe.model.use_peft == ("lora" in recipe.args.mask)
    assert all("<ImageHere>" in prompt for prompt in recipe.sequence.prompts)
    assert recipe.args.learning_rate > recipe.args.min_lr >= recipe.args.warmup_lr


def curve(name: str) -> tuple:
    args = read_recipe(name).args
    return args.learning_rate, args.min_lr, args.warmup_lr, args.warmup_steps, args.max_steps


def test_published_stages():
    assert curve("stage1") == (1e-4, 8e-5, 1e-6, 5000, 20000)
    assert curve("stage2") == curve("stage2-llama2") == (3e-5, 1e-5, 1e-6, 200, 1000)
    assert curve("stage2-paper") == (3e-5, 1e-5, 1e-6, 200, 400)
    assert read_recipe("stage2-paper").sequence == read_recipe("stage2").sequence
    assert curve("v2-stage3") == (1e-5, 1e-6, 1e-6, 1000, 50000)
    recipe = read_recipe("stage1")
    assert (recipe.sequence.prompts, recipe.sequence.answer_end) == (["<ImageHere>"], "\n")
    assert recipe.sequence.max_answer_tokens == 32
    recipe = read_recipe("stage2")
    assert (len(recipe.sequence.prompts), recipe.sequence.answer_end) == (4, None)  # the model's own
    assert recipe.sequence.max_answer_tokens == 160
    args = recipe.args
    assert (args.weight_decay, args.adam_beta1, args.adam_beta2, args.max_grad_norm) == (0.05, 0.9, 0.999, 0.0)
    assert args.bf16


@pytest.mark.parametrize("name", shipped_recipes())
def test_published_losses_are_means_of_each_process(name):
    """The original's DDP averages them, however many tokens each has; recipes of our own weigh every token alike."""
    ours = {"lora", "qlora", "own-folder", "nano-stage1", "nano-stage2"}
    ours |= {"own-stage1", "own-stage2", "own-lora"}
    ours |= {"nano-v2-stage1", "nano-v2-stage2", "nano-v2-stage3"}
    assert read_recipe(name).args.average_tokens_across_devices is (name in ours)


def test_published_lora():
    model = read_recipe("v2-stage3").model
    assert (model.lora_r, model.lora_alpha, model.lora_dropout) == (64, 16, 0.05)


def test_load_recipe_gives_what_the_trainer_takes(tmp_path):
    args, sequence = load_recipe("stage2", output_dir=str(tmp_path), max_steps=3)
    assert (args.output_dir, args.max_steps) == (str(tmp_path), 3)
    assert sequence.max_answer_tokens == 160


def test_a_recipe_of_your_own(tmp_path):
    path = tmp_path / "mine.yaml"
    # YAML makes a text of 1e-4, and False of no: both are meant as everybody reads them.
    path.write_text(
        "mask: [multi_modal_projector, lm_head]\nlearning_rate: 1e-4\nsave_strategy: no\nprompts: <ImageHere> x\n"
    )
    recipe = read_recipe(path)
    assert recipe.args.mask == ["multi_modal_projector", "lm_head"]
    assert recipe.args.learning_rate == 1e-4
    assert recipe.args.save_strategy == "no"
    assert recipe.sequence.prompts == ["<ImageHere> x"]
    assert recipe.args.output_dir == "runs/mine"


def test_overrides_are_texts_of_the_type_of_their_key():
    overrides = parse_overrides(
        ["max_steps=7", "learning_rate=2e-3", "bf16=false", "data_columns={text: caption}", "a=b=c"]
    )
    assert overrides.pop("a") == "b=c"
    recipe = read_recipe("stage2", **overrides)
    assert (recipe.args.max_steps, recipe.args.learning_rate, recipe.args.bf16) == (7, 2e-3, False)
    assert recipe.data.data_columns == {"text": "caption"}


def test_override_without_equals_sign():
    with pytest.raises(ValueError, match=r"--set 'max_steps' is not of the form key=value"):
        parse_overrides(["max_steps"])


def test_a_misspelt_key_suggests_the_right_one(tmp_path):
    with pytest.raises(ValueError, match=r"Recipe stage2: unknown key 'learning_rat': did you mean 'learning_rate'"):
        read_recipe("stage2", learning_rat=1)
    path = tmp_path / "own.yaml"
    path.write_text("zzz: 1\n")
    with pytest.raises(ValueError, match="unknown key 'zzz'; see the docstrings"):
        read_recipe(path)


def test_a_value_of_the_wrong_type():
    with pytest.raises(ValueError, match="bf16"):
        read_recipe("stage2", bf16="perhaps")


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [
        ("max_steps", "many", "a whole number"),
        ("learning_rate", "abc", "a number"),
        ("max_steps", "1.5", "a whole number"),
    ],
)
def test_a_text_for_a_number(key, value, what):
    line = f"Recipe stage2: {key} must be {what} (got {value!r})"
    with pytest.raises(ValueError, match=re.escape(line)):
        read_values("stage2", **{key: value})


def test_numbers_may_be_texts():
    assert read_values("stage2", max_steps="3", learning_rate="1e-4")["learning_rate"] == "1e-4"


def test_no_such_recipe(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no recipe 'stage9': give a YAML file, or one of .*stage1, stage2"):
        read_recipe("stage9")
    path = tmp_path / "list.yaml"
    path.write_text("- 1\n")
    with pytest.raises(ValueError, match=r"list\.yaml is not a recipe"):
        read_recipe(path)


def test_keys_are_those_of_the_arguments():
    """They are read from sources, without importing what they belong to."""
    parser = TrlParser([StageArguments, SequenceArguments, ModelArguments, DataArguments])
    assert set(recipe_keys()) == {action.dest for action in parser._actions} - {"help", "config"}
