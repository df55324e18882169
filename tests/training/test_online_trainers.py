"""TRL's trainers that let the model answer and reward what it says: they see where an answer ends."""

import datasets
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.experimental.online_dpo import OnlineDPOConfig, OnlineDPOTrainer

from minigpt4 import nano_path
from minigpt4.evaluation.scenes import draw, sample_scenes


@pytest.fixture
def nano():
    model = AutoModelForImageTextToText.from_pretrained(nano_path())
    model.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(True)
    return model, AutoProcessor.from_pretrained(nano_path())


@pytest.fixture(scope="module")
def rows():
    scenes = sample_scenes(seed=5)
    prompt = [{"role": "user", "content": "Describe this image in detail."}]
    return datasets.Dataset.from_list([{"prompt": prompt, "image": draw(next(scenes))} for _ in range(2)])


@pytest.fixture
def read():
    """What the reward was given for."""
    return []


@pytest.fixture
def reward(read):
    def length_of_answer(completions, **kwargs) -> list[float]:
        texts = [completion[0]["content"] for completion in completions]
        read.extend(texts)
        return [float(len(text)) for text in texts]

    return length_of_answer


SETTINGS = {
    "max_steps": 1,
    "per_device_train_batch_size": 4,
    "learning_rate": 0.01,
    "logging_steps": 1,
    "save_strategy": "no",
    "report_to": "none",
    "use_cpu": True,
    "bf16": False,
    "disable_tqdm": True,
    "temperature": 2.5,  # so that answers differ
}


@pytest.mark.parametrize(("trainer", "config"), [(GRPOTrainer, GRPOConfig), (RLOOTrainer, RLOOConfig)])
def test_finished_answers_are_rewarded_and_learned(nano, rows, reward, read, tmp_path, trainer, config):
    model, processor = nano
    before = model.model.multi_modal_projector.weight.detach().clone()
    args = config(
        str(tmp_path), num_generations=4, max_completion_length=100, mask_truncated_completions=True, **SETTINGS
    )
    run = trainer(model=model, args=args, processing_class=processor, train_dataset=rows, reward_funcs=reward)
    run.train()
    [log] = [log for log in run.state.log_history if "completions/clipped_ratio" in log]
    assert log["completions/clipped_ratio"] < 1
    assert log["grad_norm"] > 0
    assert not torch.equal(model.model.multi_modal_projector.weight, before)
    assert len(read) == 4
    assert all(text and "###" not in text for text in read)


def test_online_dpo(nano, rows, reward, read, tmp_path):
    model, processor = nano
    args = OnlineDPOConfig(str(tmp_path), max_new_tokens=100, missing_eos_penalty=1000.0, **SETTINGS)
    run = OnlineDPOTrainer(model=model, args=args, processing_class=processor, train_dataset=rows, reward_funcs=reward)
    run.train()
    [log, _] = run.state.log_history
    assert log["val/contain_eos_token"] > 0
    assert log["objective/scores"] > 0  # 1000 less for each answer without its end
    assert log["grad_norm"] > 0
    assert read
    assert all("###" not in text for text in read)
