"""Answers say whether they came to their end."""

from minigpt4.checkpoints.loading import load
from minigpt4.evaluation.scenes import draw, sample_scenes
from minigpt4.inference.answering import answer, user_turn


def test_finished_is_what_reached_its_end():
    """Also where the mark is the last token that there was room for."""
    model, processor = load()
    chats = [[user_turn("Describe this image in detail.", draw(next(iter(sample_scenes(seed=5)))))]]
    [whole] = answer(model, processor, chats)
    length = len(processor.tokenizer.encode(whole.text + "###", add_special_tokens=False))
    assert whole.finished
    assert answer(model, processor, chats, max_new_tokens=length) == [whole]
    [cut] = answer(model, processor, chats, max_new_tokens=length - 1)
    assert not cut.finished
    assert whole.text.startswith(cut.text)
