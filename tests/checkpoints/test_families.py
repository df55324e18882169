"""What is known of a family stands in one place."""

import pytest

from minigpt4.checkpoints.families import FAMILIES, get_family
from minigpt4.hub_cards.card import model_card
from minigpt4.processing import chat_template


def test_cards_templates_and_the_command_line_read_it_there(tiny_checkpoint, command):
    shown = " ".join(command("convert", "--help").out.replace("│", " ").split())
    for name, family in FAMILIES.items():
        assert chat_template(name)
        assert f"{name}: {family.title}" in shown
        card = model_card(tiny_checkpoint, family=name).text
        assert f"A {family.paper}: a model" in card
        assert ("whole per cents" in card) == bool(family.task_identifiers)
    with pytest.raises(ValueError, match="'v3': choose one of vicuna, llama2, v2"):
        get_family("v3")
    refused = command("convert", "v3", "--vision=x", "--language-model=x", "--checkpoint=x", "--output=x")
    assert refused.code == 2
    assert all(f"'{name}'" in refused.err for name in FAMILIES)
