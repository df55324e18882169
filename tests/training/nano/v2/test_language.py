import torch

from minigpt4.training.nano.tokenizer import train_tokenizer
from minigpt4.training.nano.v2.corpus import WORDS_AND_MARKS, vocabulary_texts
from minigpt4.training.nano.v2.language import Reader
from minigpt4.training.nano.v2.settings import NanoV2Recipe


def test_near_numbers_begin_near_each_other():
    tokenizer = train_tokenizer(vocabulary_texts(scenes=50), WORDS_AND_MARKS)
    torch.manual_seed(0)
    embed = Reader(tokenizer, NanoV2Recipe()).language_model.get_input_embeddings()
    numbers = embed(torch.tensor(tokenizer.convert_tokens_to_ids([f"<{number}>" for number in range(101)])))
    torch.testing.assert_close(numbers.norm(dim=-1), torch.ones(101))  # as long as any other token's, about
    assert torch.equal(
        (numbers @ numbers.T).argsort(dim=-1, descending=True)[1:100, :3].sort(dim=-1)[0],
        torch.arange(99)[:, None] + torch.arange(3),
    )
