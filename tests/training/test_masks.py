import pytest
from rich.console import Console

import minigpt4  # noqa: F401
from minigpt4.training import apply_mask, learning_table


def learning(model) -> set[str]:
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_projector(model):
    apply_mask(model, "projector")
    assert learning(model) == {"model.multi_modal_projector.weight", "model.multi_modal_projector.bias"}


def test_projector_and_qformer(model):
    apply_mask(model, "projector+qformer")
    names = learning(model)
    assert "model.query_tokens" in names
    assert {name.split(".")[1] for name in names} == {"multi_modal_projector", "qformer", "query_tokens"}
    assert {name for name in dict(model.named_parameters()) if ".qformer." in name} <= names


def test_projector_and_lora(model):
    from peft import LoraConfig, get_peft_model

    peft = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"]))
    apply_mask(peft, "projector+lora")
    names = learning(peft)
    assert {name for name in names if "lora" not in name} == {
        "base_model.model.model.multi_modal_projector.weight",
        "base_model.model.model.multi_modal_projector.bias",
    }
    assert all("language_model" in name for name in names if "lora" in name)
    assert len(names) == 2 + 2 * 2 * 2


def test_all(model):
    apply_mask(model, "projector")
    apply_mask(model, "all")
    assert learning(model) == set(dict(model.named_parameters()))


def test_patterns_of_whole_components(model):
    apply_mask(model, ["language_model.layers.1", "lm_head"])
    names = learning(model)
    assert all(name.startswith(("model.language_model.layers.1.", "lm_head")) for name in names)
    with pytest.raises(ValueError, match=r"'layers\.2' matches no parameter of MiniGPT4ForConditionalGeneration"):
        apply_mask(model, ["projector", "layers.2"][1:])


def test_a_name_that_is_no_mask(model):
    with pytest.raises(ValueError, match="no mask 'projektor': choose one of projector, projector"):
        apply_mask(model, "projektor")


def test_table_counts_what_learns(model):
    apply_mask(model, "projector")
    console = Console(width=120)
    with console.capture() as capture:
        console.print(learning_table(model))
    text = capture.get()
    weight = model.model.multi_modal_projector.weight
    count = weight.numel() + weight.shape[0]
    assert "model.multi_modal_projector.weight" in text
    assert f"{count:,}" in text
    assert f"{model.num_parameters() - count:,}" in text


def test_layers_share_a_line(model):
    apply_mask(model, ["self_attn"])
    console = Console(width=160)
    with console.capture() as capture:
        console.print(learning_table(model))
    [line] = [line for line in capture.get().splitlines() if "language_model.layers.*.self_attn.q_proj.weight" in line]
    assert "16 x 16" in line
    assert f"{2 * 16 * 16:,}" in line
