"""`minigpt4 push` against a Hub on this machine: what arrives, what never does, and what is said when it fails."""

import shutil

import pytest
from helpers.answers import answers
from huggingface_hub import constants
from peft import get_peft_model
from safetensors.torch import load
from transformers import AutoModelForImageTextToText, AutoProcessor

from minigpt4.cli import run
from minigpt4.hub_cards import gather_model
from minigpt4.hub_cards.card import Result
from minigpt4.training import lora_config


TOKEN = "hf_loopbackLoopbackLoopback"


@pytest.fixture
def push(capfd):
    """Run the command; returns its exit code, and what it said on both streams."""

    def call(*arguments) -> tuple[int, str, str]:
        capfd.readouterr()
        code = run(["push", *map(str, arguments)])
        return code, *capfd.readouterr()

    return call


@pytest.fixture
def folder(tiny_checkpoint, tmp_path):
    """A model in several files, among what a training run leaves and what nobody should see."""
    folder = tmp_path / "model"
    AutoModelForImageTextToText.from_pretrained(tiny_checkpoint).save_pretrained(folder, max_shard_size="20KB")
    AutoProcessor.from_pretrained(tiny_checkpoint).save_pretrained(folder)
    for name in ("optimizer.pt", "rng_state.pth", "training_args.bin", ".env", "samples.jsonl"):
        (folder / name).write_text("secret")
    for name in (".saving", "checkpoint-2"):
        (folder / name).mkdir()
        (folder / name / "optimizer.pt").write_text("secret")
    (folder / "modeling_minigpt4.py").write_text("raise SystemExit('not the code of the package')")
    return folder


def test_one_commit_holds_everything_that_a_stranger_needs(hub, push, folder):
    code, out, err = push(folder, "model")
    assert code == 0, err
    repo = hub.repos["models/somebody/model"]
    assert len(repo.branches["main"]) == 2  # the one that every new repository begins with, and ours
    assert out.strip() == f"{hub.endpoint}/somebody/model/commit/{repo.oid('main')}"
    shards = [name for name in repo.files if name.startswith("model-0")]
    assert len(shards) > 2
    assert set(repo.files) - set(shards) - {name for name in repo.files if name.endswith(".py")} == {
        ".gitattributes",
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors.index.json",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }
    assert b"class MiniGPT4Model" in repo.files["modeling_minigpt4.py"]
    assert not any(b"secret" in content for content in repo.files.values())
    for name in ("optimizer.pt", "rng_state.pth", "training_args.bin", ".env", "samples.jsonl", ".saving/"):
        assert name in err  # what stays behind is said
    assert "trust_remote_code=True" in repo.files["README.md"].decode()
    assert 'model="model"' in repo.files["README.md"].decode()


def test_what_a_stranger_pulls_is_what_was_pushed(hub, push, folder, pull):
    assert push(folder, "somebody/model", "--private")[0] == 0
    assert hub.repos["models/somebody/model"].private
    assert pull("somebody/model") == answers(str(folder))


def test_dry_run_lists_files_and_sizes_and_asks_no_one(hub, push, folder):
    code, out, err = push(folder, "model", "--dry-run")
    assert code == 0
    assert hub.requests == []
    listed = {line.split()[1]: int(line.split()[0].replace(",", "")) for line in out.splitlines()[:-1]}
    assert push(folder, "model")[0] == 0
    pushed = hub.repos["models/somebody/model"].files
    assert listed == {name: len(pushed[name]) for name in pushed if name != ".gitattributes"}
    assert f"{sum(listed.values()):,}  in {len(listed)} files" in out
    assert "optimizer.pt" in err


def test_a_branch(hub, push, folder):
    assert push(folder, "model", "--revision", "trial")[0] == 0
    repo = hub.repos["models/somebody/model"]
    assert "config.json" in repo.branches["trial"][-1]
    assert set(repo.files) == {".gitattributes"}


def test_pushed_again_old_files_go_and_others_stay(hub, push, folder, tiny_checkpoint):
    assert push(folder, "model")[0] == 0
    repo = hub.repos["models/somebody/model"]
    repo.branches["main"].append(repo.files | {"notes.txt": b"mine", "tool.py": b"mine"})
    assert push(tiny_checkpoint, "model")[0] == 0
    assert not [name for name in repo.files if name.startswith("model-0")]
    assert "model.safetensors.index.json" not in repo.files
    assert {"model.safetensors", "notes.txt", "tool.py"} <= set(repo.files)
    assert len(repo.branches["main"]) == 4


def test_a_dropped_upload_is_tried_again(hub, push, folder):
    hub.drop = 1
    assert push(folder, "model")[0] == 0
    assert len(hub.repos["models/somebody/model"].branches["main"]) == 2


def test_an_upload_that_is_dropped_again_and_again_is_given_up(hub, push, folder, monkeypatch):
    monkeypatch.setattr(
        "huggingface_hub.utils._http.time.sleep", lambda seconds: None
    )  # the client waits longer each time
    hub.drop = 1000
    code, out, err = push(folder, "model")
    assert (code, out) == (1, "")
    assert "model-0000" in err
    assert err.count("\n") == 1
    assert set(hub.repos["models/somebody/model"].files) == {".gitattributes"}


def test_a_push_that_breaks_off_changes_nothing_and_goes_on_where_it_stopped(hub, push, folder):
    hub.refuse_commit = True
    code, out, err = push(folder, "model")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "push again" in err
    repo = hub.repos["models/somebody/model"]
    assert set(repo.files) == {".gitattributes"}
    hub.refuse_commit = False
    sent = sum(request.startswith("PUT") for request in hub.requests)
    assert sent > 2
    assert push(folder, "model")[0] == 0
    assert sum(request.startswith("PUT") for request in hub.requests) == sent  # no weights twice
    assert "config.json" in repo.files


@pytest.mark.parametrize("token", ["hf_wrongWrongWrongWrong", None])
def test_without_a_token_that_the_hub_knows(hub, push, folder, monkeypatch, tmp_path, token):
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    else:
        monkeypatch.delenv("HF_TOKEN")
    code, out, err = push(folder, "model")
    assert (code, out) == (1, "")
    assert "hf auth login" in err
    assert hub.repos == {}


def test_a_name_that_belongs_to_somebody_else(hub, push, folder):
    code, _, err = push(folder, "others/model")
    assert code == 1
    assert err.count("\n") == 1
    assert "403" in err
    assert "others/model" in err


def test_a_public_repository_does_not_become_private(hub, push, folder):
    assert push(folder, "model")[0] == 0
    commits = len(hub.repos["models/somebody/model"].branches["main"])
    code, _, err = push(folder, "model", "--private")
    assert code == 1
    assert "public" in err
    assert len(hub.repos["models/somebody/model"].branches["main"]) == commits


def test_a_name_that_cannot_be(hub, push, folder):
    code, _, err = push(folder, "no/such/name")
    assert code == 1
    assert "no/such/name" in err
    assert err.count("\n") == 1
    assert hub.requests == []


def test_no_room_left(hub, push, folder):
    hub.quota = 30_000
    code, _, err = push(folder, "model")
    assert code == 1
    assert "quota exceeded" in err
    assert err.count("\n") == 1
    assert set(hub.repos["models/somebody/model"].files) == {".gitattributes"}


def test_the_token_is_in_no_output_and_in_no_file(hub, push, folder, tmp_path):
    said = []
    for setting in ({}, {"refuse_commit": True}, {"quota": 0}):
        for name, value in setting.items():
            setattr(hub, name, value)
        said += push(folder, "model", "--revision", "main" if not setting else "next")[1:]
    said += push(folder, "others/model", "--debug")[1:]
    assert TOKEN not in "".join(said)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    assert not any(TOKEN.encode() in file.read_bytes() for file in files)


def spoil(folder, how: str):
    shard = sorted(folder.glob("model-*.safetensors"))[0]
    match how:
        case "a shard is missing":
            shard.unlink()
        case "a shard is cut short":
            shard.write_bytes(shard.read_bytes()[:-100])
        case "pickled weights":
            for file in folder.glob("model*safetensors*"):
                file.unlink()
            (folder / "pytorch_model.bin").write_bytes(b"")
        case "no processor":
            for file in (*folder.glob("*processor_config.json"), *folder.glob("tokenizer*")):
                file.unlink()
        case "another model":
            (folder / "config.json").write_text('{"model_type": "llama"}')
        case "no model":
            (folder / "config.json").unlink()
        case "no folder":
            shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("a shard is missing", "missing or damaged"),
        ("a shard is cut short", "missing or damaged"),
        ("pickled weights", "no model.safetensors"),
        ("no processor", "processor_config.json"),
        ("another model", "'llama'"),
        ("no model", "no config.json"),
        ("no folder", "is not a folder"),
    ],
)
def test_a_folder_that_others_could_not_load_is_not_pushed(hub, push, folder, how, said):
    spoil(folder, how)
    code, out, err = push(folder, "model")
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1
    assert hub.requests == []


@pytest.fixture
def secret(tmp_path):
    """A file beside the folder of the model, which holds what nobody should see."""
    file = tmp_path / "secret"
    file.write_text("secret")
    return file


def link(file, to) -> None:
    file.unlink(missing_ok=True)
    file.symlink_to(to)


def test_links_that_leave_the_folder_are_not_pushed(hub, push, folder, secret):
    link(folder / "README.md", secret)
    link(folder / "notes.md", "../secret")
    link(folder / "data", secret.parent)
    code, _, err = push(folder, "model")
    assert code == 0
    assert "README.md" in err
    assert "notes.md" in err
    files = hub.repos["models/somebody/model"].files
    assert not any(b"secret" in content for content in files.values())
    assert files["README.md"].startswith(b"---")  # a card of its own was made


@pytest.mark.parametrize(
    "name",
    ["chat_template.jinja", "tokenizer.json", "generation_config.json", "additional_chat_templates/other.jinja"],
)
def test_a_linked_file_that_would_be_read_and_saved_anew(hub, push, folder, tmp_path, name):
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    elsewhere = tmp_path / "elsewhere"
    if file.exists():
        shutil.copy(file, elsewhere)
    else:
        elsewhere.write_text("secret")
    link(file, elsewhere)
    code, out, err = push(folder, "model")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"{file} points outside the folder" in err
    assert hub.requests == []


def test_linked_weights(hub, push, folder, tmp_path):
    shard = sorted(folder.glob("model-*.safetensors"))[0]
    shutil.copy(shard, tmp_path / "elsewhere")
    link(shard, tmp_path / "elsewhere")
    code, _, err = push(folder, "model")
    assert code == 1
    assert f"{shard} points outside the folder" in err
    link(shard, shutil.copy(tmp_path / "elsewhere", folder / "first"))  # within the folder it may
    assert push(folder, "model")[0] == 0


def test_a_linked_file_of_an_adapter(hub, push, tiny_checkpoint, tmp_path):
    model = AutoModelForImageTextToText.from_pretrained(tiny_checkpoint)
    adapter = tmp_path / "adapter"
    get_peft_model(model, lora_config(r=2)).save_pretrained(adapter)
    AutoProcessor.from_pretrained(tiny_checkpoint).save_pretrained(adapter)
    shutil.move(adapter / "chat_template.jinja", tmp_path / "elsewhere")
    link(adapter / "chat_template.jinja", tmp_path / "elsewhere")
    for more in ([], ["--adapter-only", "--base", "somebody/base"]):
        code, _, err = push(adapter, "model", *more)
        assert code == 1
        assert f"{adapter / 'chat_template.jinja'} points outside the folder" in err
    assert hub.requests == []


@pytest.mark.parametrize("absolute", [False, True])
def test_an_index_that_leaves_the_folder(hub, push, folder, tmp_path, absolute):
    shard = sorted(folder.glob("model-*.safetensors"))[0]
    shutil.move(shard, tmp_path / "elsewhere.safetensors")
    index = folder / "model.safetensors.index.json"
    named = str(tmp_path / "elsewhere.safetensors") if absolute else "../elsewhere.safetensors"
    index.write_text(index.read_text().replace(shard.name, named))
    code, out, err = push(folder, "model")
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert f"{index} points outside of its folder" in err
    assert hub.requests == []


def test_a_card_of_ones_own_stays(hub, push, folder):
    mine = b"---\r\nlicense: mit  # as agreed\r\ntags: [mine]\r\n---\r\nMine.\r\n"
    (folder / "README.md").write_bytes(mine)
    assert push(folder, "model")[0] == 0
    assert hub.repos["models/somebody/model"].files["README.md"] == mine


@pytest.mark.parametrize(
    ("card", "said"), [(b"---\nlicense: [mit\na: : b\n---\nMine.\n", "metadata"), (b"caf\xe9\n", "UTF-8")]
)
def test_a_card_that_cannot_be_read(push, folder, tmp_path, card, said):
    (folder / "README.md").write_bytes(card)
    with pytest.raises(ValueError, match=f"README.md .*{said}"):
        gather_model(folder).with_results([Result("scenes", "facts", 99.0, "minigpt4 evaluate scenes")])


def test_weights_arrive_bit_by_bit(hub, push, folder):
    assert push(folder, "model")[0] == 0
    files = hub.repos["models/somebody/model"].files
    for file in folder.glob("model-*.safetensors"):
        assert files[file.name] == file.read_bytes()
        assert load(files[file.name])
