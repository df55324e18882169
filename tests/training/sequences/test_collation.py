import pytest
import torch
from PIL import Image

import minigpt4  # noqa: F401
from minigpt4.training import SequenceArguments, SequenceCollator, load_recipe


def row(text: str, colour: str = "red") -> dict:
    return {"image": Image.new("RGB", (40, 30), colour), "text": text}


def pieces(processor, text: str) -> list[int]:
    """The ids of one segment, by hand: the tiny tokenizer has a token for every printable character."""
    ids = []
    for character in "▁" + text.replace(" ", "▁"):
        id_ = processor.tokenizer.convert_tokens_to_ids(character)
        ids += [id_] if id_ != processor.tokenizer.unk_token_id else [3 + byte for byte in character.encode()]
    return ids


def test_stage_1_is_start_image_caption_line_break(processor):
    _, sequence = load_recipe("stage1", output_dir="unused", bf16=False)
    batch = SequenceCollator(processor, sequence)([row("a cat"), row("two red cars")])
    image = [processor.tokenizer.image_token_id] * 4
    short, long = pieces(processor, "a cat\n"), pieces(processor, "two red cars\n")
    gap = len(long) - len(short)
    assert batch["input_ids"].tolist() == [
        [1, *image, *short, *[processor.tokenizer.pad_token_id] * gap],
        [1, *image, *long],
    ]
    assert batch["attention_mask"].tolist() == [[1] * (5 + len(short)) + [0] * gap, [1] * (5 + len(long))]
    assert batch["labels"].tolist() == [[-100] * 5 + short + [-100] * gap, [-100] * 5 + long]
    assert batch["pixel_values"].shape == (2, 3, 28, 28)


def test_stage_2_tokenizes_prompt_and_answer_apart(processor):
    _, sequence = load_recipe("stage2", output_dir="unused", bf16=False)
    sequence.prompts = sequence.prompts[:1]
    batch = SequenceCollator(processor, sequence)([row("The cat sits.")])
    before, after = (
        pieces(processor, "###Human: <Img>"),
        pieces(processor, "</Img> Describe this image in detail. ###Assistant: "),
    )
    answer = pieces(processor, "The cat sits.###")
    image = [processor.tokenizer.image_token_id] * 4
    assert after[-1] == answer[0] == processor.tokenizer.convert_tokens_to_ids("▁")
    assert batch["input_ids"].tolist() == [[1, *before, *image, *after, *answer]]
    assert batch["labels"].tolist() == [[-100] * (5 + len(before) + len(after)) + answer]


def test_answers_are_cut_with_their_end(processor):
    batch = SequenceCollator(processor, SequenceArguments(max_answer_tokens=4))([row("a long caption")])
    assert batch["labels"][0, 5:].tolist() == pieces(processor, "a long caption")[:4]


def test_max_length_is_of_chats_only(processor):
    """The answer of a caption has a limit of its own."""
    arguments = SequenceArguments(max_answer_tokens=40, max_length=20)
    batch = SequenceCollator(processor, arguments)([row("a long caption " * 4)])
    assert batch["labels"][0, 5:].tolist() == pieces(processor, "a long caption " * 4)[:40]


def test_one_prompt_is_drawn_for_each_batch(processor):
    _, sequence = load_recipe("stage2", output_dir="unused", bf16=False)
    collate = SequenceCollator(processor, sequence)
    torch.manual_seed(0)
    seen = set()
    for _ in range(30):
        batch = collate([row("x"), row("y")])
        prompts = {
            processor.tokenizer.decode(ids[mask == -100])
            for ids, mask in zip(batch["input_ids"], batch["labels"], strict=True)
        }
        assert len(prompts) == 1
        seen |= prompts
    assert len(seen) == 4


@pytest.mark.parametrize("rows", [[{"text": "no image"}], [{"image": Image.new("RGB", (2, 2))}], [row("")], [row(7)]])
def test_a_row_without_image_or_text(processor, rows):
    with pytest.raises(ValueError, match="Each row needs an 'image' and a non-empty 'text'"):
        SequenceCollator(processor, SequenceArguments())(rows)


def test_what_is_wrong_with_a_row_is_said_without_its_picture(processor):
    rows = [{"image": {"bytes": b"x" * 1000, "path": None}, "text": "", "row": 7, "epoch": 0}]
    with pytest.raises(ValueError, match=r"but row 7 has image .*, text ''") as error:
        SequenceCollator(processor, SequenceArguments())(rows)
    assert len(str(error.value)) < 300
