import json
import shutil
from pathlib import Path

import pytest
import torch
from helpers.evaluation_sets import write_sets
from PIL import Image
from rich.console import Console
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.training import SequenceCollator
from minigpt4.training.recipe import shipped_recipes
from minigpt4.training.reports.preview import estimate_memory, print_sequences
from minigpt4.training.run import run, show


def test_what_comes_out_answers(recipe, tmp_path):
    output = run(recipe())
    assert output == tmp_path / "run"
    model = AutoModelForImageTextToText.from_pretrained(output)
    processor = AutoProcessor.from_pretrained(output)
    inputs = processor(images=Image.new("RGB", (28, 28)), text="<ImageHere>", return_tensors="pt")
    assert model.generate(**inputs, tokenizer=processor.tokenizer).shape[1] > inputs["input_ids"].shape[1]


def test_only_what_the_mask_names_is_changed(recipe, model):
    trained = AutoModelForImageTextToText.from_pretrained(run(recipe(bf16=False, learning_rate=1e-2, save="full")))
    changed = {
        name
        for (name, old), new in zip(model.named_parameters(), trained.parameters(), strict=True)
        if not torch.equal(old, new)
    }
    assert changed == {"model.multi_modal_projector.weight", "model.multi_modal_projector.bias"}


def test_what_is_said_at_the_start(recipe, capsys):
    run(recipe())
    said = capsys.readouterr().err
    assert "multi_modal_projector.weight" in said
    assert "⟦" in said
    assert "Memory, estimated" in said


def test_loss_curve(recipe):
    image = Image.open(run(recipe()) / "loss.png").convert("RGB")
    assert (31, 119, 180) in {colour for _, colour in image.getcolors(1 << 16)}


def test_tasks_are_run_at_evaluations_and_choose_the_best_checkpoint(recipe, own_folder, tmp_path, monkeypatch):
    """The score is logged, drawn, and decides; training goes on as without it."""
    from minigpt4.evaluation.running import run as running

    scores = iter((40.0, 60.0, 20.0, 30.0))
    score_task = running.score_task

    def scored(*args, **kwargs):
        result = score_task(*args, **kwargs)
        if result.task == "vizwiz":
            result.value = next(scores)
        return result

    settings = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 1}
    settings |= {"samples": 0, "save_strategy": "steps", "save_steps": 1, "load_best_model_at_end": True}
    settings |= {"metric_for_best_model": "vizwiz", "greater_is_better": True}
    sets = write_sets(tmp_path / "sets")
    with monkeypatch.context() as patch:
        patch.setattr(running, "score_task", scored)
        patch.setattr("minigpt4.evaluation.tasks.boxed_scenes.SCENES", 2)
        tasks = {"eval_tasks": ["vizwiz", "boxed-refer"], "eval_tasks_samples": 2, "data_root": str(sets)}
        output = run(recipe(**settings, **tasks))
    [last] = output.glob("checkpoint-4")
    state = json.loads((last / "trainer_state.json").read_text())
    history = [(entry["step"], entry["eval_vizwiz"]) for entry in state["log_history"] if "eval_vizwiz" in entry]
    assert history == [(1, 40.0), (2, 60.0), (3, 20.0), (4, 30.0)]
    assert sum("eval_boxed-refer" in entry for entry in state["log_history"]) == 4
    assert (state["best_metric"], Path(state["best_model_checkpoint"]).name) == (60.0, "checkpoint-2")
    image = Image.open(output / "loss.png").convert("RGB")
    assert (44, 160, 44) in {colour for _, colour in image.getcolors(1 << 16)}
    with_tasks = [entry["loss"] for entry in state["log_history"] if "loss" in entry]
    plain = {name: value for name, value in settings.items() if "best" not in name and name != "greater_is_better"}
    without = run(recipe(**plain, output_dir=str(tmp_path / "without")))
    state = json.loads((without / "checkpoint-4" / "trainer_state.json").read_text())
    assert [entry["loss"] for entry in state["log_history"] if "loss" in entry] == with_tasks


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        (["okvq"], "There is no task 'okvq'"),
        (["coco-coverage"], "eval_tasks has coco-coverage, whose answers must be judged"),
    ],
)
def test_tasks_that_cannot_run_while_training(recipe, own_folder, tasks, message):
    settings = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 2}
    with pytest.raises(ValueError, match=message):
        run(recipe(**settings, eval_tasks=tasks))
    with pytest.raises(ValueError, match="eval_tasks is set, but eval_data is not"):
        run(recipe(eval_tasks=["okvqa"]))


LOGGED = {"train/loss", "train/learning_rate", "train/grad_norm", "train/samples_per_second", "eval/loss"}


def test_tensorboard(recipe, own_folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    evaluation = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 2}
    output = run(recipe(**evaluation, samples=0, report_to="tensorboard"))
    [events] = (output / "runs").rglob("events*")
    written = EventAccumulator(str(events)).Reload()
    assert set(written.Tags()["scalars"]) >= LOGGED
    rates = [event.value for event in written.Scalars("train/samples_per_second")]
    assert len(rates) == 4
    assert all(rate > 0 for rate in rates)


def test_trackio(recipe, own_folder, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))  # read when trackio is imported: nobody does before
    evaluation = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 2}
    run(recipe(**evaluation, samples=0, report_to="trackio", project="colours", run_name="first"))
    from trackio.sqlite_storage import SQLiteStorage

    rows = SQLiteStorage.get_logs("colours", "first")
    assert {key for row in rows for key in row} >= LOGGED


def test_samples_at_every_evaluation(recipe, own_folder):
    evaluation = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 2}
    output = run(recipe(**evaluation, samples=2))
    lines = [json.loads(line) for line in (output / "samples.jsonl").read_text().splitlines()]
    assert [(line["step"], line["row"]) for line in lines] == [(2, 0), (2, 1), (4, 0), (4, 1)]
    assert lines[0]["prompt"].startswith("<s>###Human: <Img><ImageHere></Img>")
    assert lines[0]["expected"] == "red###"
    assert isinstance(lines[0]["answer"], str)


# 4 bits take a wider model: test_lora.py.
@pytest.mark.parametrize("name", [name for name in shipped_recipes() if name != "qlora"])
def test_first_steps_of_every_recipe(recipe, name):
    run(recipe(name, max_steps=2, data_rows=8))


@pytest.mark.parametrize(("name", "tokens"), [("ablation-no-qformer", 1), ("ablation-three-layers", 4)])
def test_ablations_change_the_network(recipe, name, tokens):
    output = run(recipe(name, max_steps=1))
    model = AutoModelForImageTextToText.from_pretrained(output)
    assert (model.model.qformer is None) == (name == "ablation-no-qformer")
    layers = [module for module in model.model.multi_modal_projector.modules() if isinstance(module, torch.nn.Linear)]
    assert len(layers) == (3 if name == "ablation-three-layers" else 1)
    assert AutoProcessor.from_pretrained(output).num_image_tokens == model.config.num_image_tokens == tokens


def test_show_trains_nothing(recipe, tmp_path, capsys):
    show(recipe(), 3)
    printed = capsys.readouterr().out
    assert printed.count("⟦") == printed.count("⟧") == 6  # once in each sample, and once in the line above it
    assert "⟦ red###⟧" in printed
    assert not (tmp_path / "run").exists()


def test_sequences_are_shown_as_they_are(processor, recipe):
    console = Console(width=200)
    collator = SequenceCollator(processor, recipe("stage1").sequence)
    with console.capture() as capture:
        print_sequences(collator, [{"image": Image.new("RGB", (2, 2)), "text": "a cat"}], console)
    assert capture.get().splitlines() == [
        "Sample 0: 12 tokens, 7 of them between ⟦ and ⟧ with loss, 1 image(s)",
        "<s><ImageHere> x 4 ⟦ a cat<0x0A>⟧",
    ]


def test_what_is_cut_off_is_said(processor, recipe):
    console = Console(width=200)
    collator = SequenceCollator(processor, recipe("stage1", max_answer_tokens=4).sequence)
    with console.capture() as capture:
        print_sequences(collator, [{"image": Image.new("RGB", (2, 2)), "text": "a cat"}], console)
    assert "4 of them between ⟦ and ⟧ with loss, 1 image(s), 3 cut off" in capture.get()


def test_memory_of_what_learns(model, recipe):
    recipe("stage1")
    model.requires_grad_(False)
    model.model.multi_modal_projector.requires_grad_(True)
    labels = torch.full((2, 10), -100)
    labels[:, 6:] = 5
    batch = {"input_ids": torch.zeros(2, 10, dtype=torch.long), "labels": labels}
    estimate = estimate_memory(model, batch)
    assert estimate["weights"] == 4 * model.num_parameters()
    assert estimate["learning"] == 3 * 4 * (16 * 16 + 16)
    assert estimate["activations"] == 34 * 20 * 16 * 2 * 2
    assert estimate["logits"] == 2 * 4 * 8 * model.config.text_config.vocab_size
    less = estimate_memory(model, batch, checkpointing=True)
    assert less["activations"] == 34 * 20 * 16 * 2 + 4 * 20 * 16 * 2  # one layer, and the inputs of two
    assert estimate["total"] == sum(size for name, size in estimate.items() if name != "total")


def test_what_learns_is_float32_and_the_rest_bfloat16(recipe):
    from minigpt4.training.model import load_model
    from minigpt4.training.trainer.stages import StageTrainer

    read = recipe()
    model = load_model(read.model, bf16=True)
    StageTrainer(model, read.args, read.sequence, AutoProcessor.from_pretrained(read.model.model_name_or_path))
    dtypes = {(parameter.requires_grad, parameter.dtype) for parameter in model.parameters()}
    assert dtypes == {(True, torch.float32), (False, torch.bfloat16)}


def test_a_folder_with_something_else_in_it(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(FileExistsError, match=r"contains thesis\.tex, which is not from a training run"):
        run(recipe())


def test_a_folder_with_a_run_in_it(recipe):
    run(recipe(save_strategy="steps", save_steps=2))
    with pytest.raises(FileExistsError, match="already contains a run: use --resume to continue from checkpoint-4"):
        run(recipe())


def test_nothing_to_resume(recipe):
    with pytest.raises(FileNotFoundError, match="contains no checkpoint to resume from"):
        run(recipe(), resume=True)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"model_name_or_path": None}, "has no model: use --set model_name_or_path=FOLDER"),
        ({"model_name_or_path": "nowhere/nothing"}, "nowhere/nothing: no such folder; if it is a Hub id"),
        ({"model_config": {"qformer": None}}, "model_config sets qformer, which MiniGPT4Config does not have"),
        (
            {"model_config": {"num_query_tokens": 8}},
            "weights of .* do not fit its configuration: .*model.query_tokens",
        ),
        ({"mask": ["projektor"]}, "mask pattern 'projektor' matches no parameter"),
    ],
)
def test_what_cannot_be(recipe, overrides, message):
    with pytest.raises(ValueError, match=message):
        run(recipe(**overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"lr_scheduler_type": "constant"}, "lr_scheduler_type is constant, but the rate follows the published curve"),
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor would also train the image placeholder"),
        ({"learning_rate": 0}, r"learning_rate must be above 0 \(got 0\)"),
        ({"dtype": "bf16"}, r"dtype must be bfloat16, float16, float32 or auto \(got 'bf16'\)"),
        ({"use_peft": True}, "use_peft adds LoRA, of which the mask 'projector' trains nothing"),
        ({"eval_data": "scene-captions"}, "eval_data is set, but eval_strategy is not"),
        ({"data_rows": -1}, r"data_rows for \S+ must be at least 1 \(got -1\)"),
        ({"streaming": True, "shuffle_buffer": 0}, r"shuffle buffer must be at least 1 sample.*\(got 0\)"),
    ],
)
def test_what_would_do_nothing_or_something_else(recipe, overrides, message):
    with pytest.raises(ValueError, match=message):
        run(recipe(**overrides))


def test_a_run_that_goes_on_from_a_run(recipe, tmp_path):
    first = run(recipe(max_steps=1))
    with pytest.raises(
        ValueError, match="run holds only the trained weights: make it whole first, with --resume --save full"
    ):
        run(recipe(model_name_or_path=str(first), output_dir=str(tmp_path / "second")))


def test_samples_of_chats_that_show_more_pictures_later(recipe, own_folder):
    turns = [("human", "<image> One?"), ("gpt", "Red."), ("human", "<image> And this?"), ("gpt", "Green.")]
    row = {"image": ["0.png", "1.png"], "conversations": [{"from": who, "value": text} for who, text in turns]}
    (own_folder / "chats.json").write_text(json.dumps([row] * 2))
    data = str(own_folder / "chats.json")
    evaluation = {"eval_data": data, "eval_split": "train", "eval_strategy": "steps", "eval_steps": 1}
    output = run(recipe(data=data, training_template="v2", **evaluation, max_steps=1, samples=1))
    [line] = map(json.loads, (output / "samples.jsonl").read_text().splitlines())
    assert line["prompt"].count("<ImageHere>") == 1


def test_evaluation_on_a_stream(recipe, own_folder, tmp_path):
    evaluation = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 1}
    losses = []
    for streaming in (False, True):
        settings = {**evaluation, "streaming": streaming, "max_steps": 1, "samples": 0, "learning_rate": 1e-9}
        output = run(
            recipe(**settings, output_dir=str(tmp_path / str(streaming)), save_strategy="steps", save_steps=1)
        )
        state = json.loads((output / "checkpoint-1" / "trainer_state.json").read_text())
        losses.append(next(entry["eval_loss"] for entry in state["log_history"] if "eval_loss" in entry))
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_evaluations_of_workers_that_stay_are_on_the_same_prompts(recipe, own_folder):
    evaluation = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 1}
    workers = {"dataloader_num_workers": 1, "dataloader_persistent_workers": True, "per_device_eval_batch_size": 2}
    settings = {"samples": 0, "learning_rate": 1e-9, "min_lr": 1e-9, "warmup_lr": 1e-9, "max_steps": 3}
    output = run(recipe(**evaluation, **workers, **settings, save_strategy="steps", save_steps=3))
    state = json.loads((output / "checkpoint-3" / "trainer_state.json").read_text())
    first, *others = [entry["eval_loss"] for entry in state["log_history"] if "eval_loss" in entry]
    assert others == pytest.approx([first] * 2, abs=1e-4)


def test_samples_of_a_run_that_goes_on_are_there_once(recipe, own_folder):
    evaluation = {"eval_data": str(own_folder), "eval_split": "train", "eval_strategy": "steps", "eval_steps": 2}
    settings = {**evaluation, "samples": 1, "save_strategy": "steps", "save_steps": 2}
    output = run(recipe(**settings))
    lines = (output / "samples.jsonl").read_text()
    shutil.rmtree(output / "checkpoint-4")
    run(recipe(**settings), resume=True)
    assert (output / "samples.jsonl").read_text() == lines


def test_a_run_goes_on_with_the_same_rows_at_each_step_or_not_at_all(recipe):
    saved = {"save_strategy": "steps", "save_steps": 1, "max_steps": 3}
    run(recipe(**saved))  # of 2 rows each
    further = {**saved, "max_steps": 4}
    with pytest.raises(ValueError, match=r"checkpoint-3 is at 0\.75 epochs, which .* would be 1\.5: use as many rows"):
        run(recipe(**further, per_device_train_batch_size=4), resume=True)
    with pytest.raises(ValueError, match=r"is at 0\.75 epochs, which .* would be 1\.5"):
        run(recipe(**further, data_rows=4), resume=True)
    run(recipe(**further, per_device_train_batch_size=1, gradient_accumulation_steps=2), resume=True)
