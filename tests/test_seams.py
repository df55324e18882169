"""What this package relies on of other libraries beyond their public, documented ways: an upgrade fails here by its name."""

import ast
import inspect
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest
from helpers import ROOT
from packaging.requirements import Requirement


GENERATION = "transformers.generation.utils:GenerationMixin"
MODEL = "transformers.modeling_utils:PreTrainedModel"
TRAINER = "transformers.trainer:Trainer"
PROCESSOR = "transformers.processing_utils:ProcessorMixin"
AUTO = "transformers.models.auto"

# Where it stands -> its parameters; no parameters for what is no function.
SEAMS: dict[str, str | None] = {
    # Overridden: `generate` has no other place for what MiniGPT-4 does before, while and after it writes.
    f"{GENERATION}._extract_generation_mode_kwargs": "self custom_generate kwargs synced_gpus assistant_model streamer",
    f"{GENERATION}._get_candidate_generator": "self generation_config input_ids inputs_tensor logits_processor model_kwargs "
    "assistant_model target_tokenizer assistant_tokenizer",
    f"{GENERATION}._get_logits_processor": "self generation_config input_ids_seq_length encoder_input_ids "
    "prefix_allowed_tokens_fn logits_processor device model_kwargs negative_prompt_ids negative_prompt_attention_mask",
    f"{GENERATION}._get_stopping_criteria": "self generation_config stopping_criteria tokenizer",
    f"{GENERATION}._maybe_prepare_encoder_kwargs_for_generation": "self inputs_tensor model_kwargs model_input_name "
    "generation_config",
    f"{GENERATION}._optimize_model_for_decode": "self",
    f"{GENERATION}._prepare_multimodal_encoder_kwargs_for_generation": "self model_kwargs",
    f"{GENERATION}._validate_generation_mode": "self generation_mode generation_config generation_mode_kwargs",
    # Called: which settings `generate` is going to use, and whether it will make a cache, is said nowhere else.
    f"{GENERATION}._prepare_generation_config": "self generation_config kwargs",
    f"{GENERATION}._supports_default_dynamic_cache": "",
    # Called: what `custom_generate` replaces begins with it.
    f"{GENERATION}._prefill": "self input_ids generation_config model_kwargs is_first_iteration",
    # What a model states of itself: transformers' own models do so, by the same names.
    "transformers.configuration_utils:PreTrainedConfig._auto_class": None,
    "transformers.distributed.mixin:DistributedMixin._tp_plan": None,
    "transformers.image_processing_base:ImageProcessingMixin._auto_class": None,
    f"{MODEL}._auto_class": None,
    f"{MODEL}._can_compile_fullgraph": None,
    f"{MODEL}._init_weights": "self module",
    f"{MODEL}._is_stateful": None,
    f"{MODEL}._keep_in_fp32_modules": None,
    f"{MODEL}._skip_keys_device_placement": None,
    f"{MODEL}._supports_attention_backend": None,
    f"{MODEL}._supports_flash_attn": None,
    f"{MODEL}._supports_flex_attn": None,
    f"{MODEL}._supports_sdpa": None,
    f"{MODEL}._tied_weights_keys": None,
    f"{PROCESSOR}._auto_class": None,
    # As transformers' models make their parts; `from_config` of the Auto classes would take them as whole models.
    f"{MODEL}._from_config": "config kwargs",
    # Read and set, since the public setter belongs to a model, which does not exist yet.
    "transformers.configuration_utils:PreTrainedConfig._attn_implementation": None,
    # Whether `from_pretrained` has loaded an adapter, without raising where there is none.
    "transformers.integrations.peft:PeftAdapterMixin._hf_peft_config_loaded": None,
    # Overridden: it counts the tokens of images, and its error tells neither the row nor what to do.
    f"{PROCESSOR}._check_special_mm_tokens": "self text text_inputs modalities",
    # Asked for by serving engines with a Transformers backend; models define it.
    "transformers.models.llava.processing_llava:LlavaProcessor._get_num_multimodal_tokens": "self image_sizes kwargs",
    # Overridden: callbacks hear of saving, loading and epochs when they are over.
    f"{TRAINER}._init_training_state": "self max_steps num_update_steps_per_epoch num_train_epochs "
    "resume_from_checkpoint trial",
    f"{TRAINER}._issue_warnings_after_load": "self load_result",
    f"{TRAINER}._load_best_model": "self",
    f"{TRAINER}._load_from_checkpoint": "self resume_from_checkpoint model",
    f"{TRAINER}._load_rng_state": "self checkpoint",
    f"{TRAINER}._prepare_inputs": "self inputs",
    f"{TRAINER}._push_from_checkpoint": "self checkpoint_folder",
    f"{TRAINER}._run_epoch": "self model epoch train_dataloader steps_in_epoch num_update_steps_per_epoch trial "
    "ignore_keys_for_eval start_time resume_from_checkpoint epochs_trained steps_trained_in_current_epoch",
    f"{TRAINER}._save": "self output_dir state_dict",
    f"{TRAINER}._save_checkpoint": "self model trial",
    f"{TRAINER}._save_rng_state": "self output_dir",
    # Patched or added to: transformers has no entry points for models that are not its own.
    "transformers.utils.import_utils:_LazyModule.__getattr__": "self name",
    f"{AUTO}.image_processing_auto:DEFAULT_TO_PIL_BACKEND_IMAGE_PROCESSORS": None,
    f"{AUTO}.modeling_auto:MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES": None,
    f"{AUTO}.modeling_auto:MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES": None,
    # Patched: passing `trust_remote_code=False` does not keep every way from asking.
    "transformers.dynamic_module_utils:TIME_OUT_REMOTE_CODE": None,
    # Patched: `transformers serve` builds and runs its server in one call.
    "transformers.cli.serving.server:build_server": "model_manager chat_handler completion_handler response_handler "
    "transcription_handler systemone_handler generation_state enable_cors",
    "transformers.cli.serving.utils:_RESPONSE_TEMPLATE_FALLBACKS": None,
    "transformers.cli.serving.model_manager:ModelManager.load_model_and_processor": "self model_id_and_revision "
    "progress_callback tqdm_class gguf_file",
    "transformers.cli.serving.model_manager:ModelManager.process_model_name": "model_id",
    "transformers.cli.serving.model_manager:ModelManager.get_gen_models": "cache_dir",
    # Called with a private argument: a file that is not there is no error.
    "transformers.utils.hub:cached_files": "path_or_repo_id filenames cache_dir force_download proxies token revision "
    "local_files_only subfolder repo_type user_agent _raise_exceptions_for_gated_repo "
    "_raise_exceptions_for_missing_entries _raise_exceptions_for_connection_errors tqdm_class deprecated_kwargs",
    # Overridden: saving by Trainer itself differs from saving by a person in that private argument.
    f"{TRAINER}.save_model": "self output_dir _internal_call",
    # Called, so that a request is read as the server is going to read it.
    "transformers.cli.serving.response:ResponseHandler._normalize_input": "body",
    "transformers.utils.chat_template_utils:_get_template_variables": "chat_template",
    "transformers.utils.chat_template_utils:render_jinja_template": "conversations tools documents chat_template "
    "return_assistant_tokens_mask continue_final_message add_generation_prompt kwargs",
    # What a model passes over in its files, and how tensors in files become those of a model: `from_pretrained` alone would
    # hold a whole model in memory, and write nothing down of where a tensor came from.
    f"{MODEL}._keys_to_ignore_on_load_unexpected": None,
    "transformers.conversion_mapping:get_model_conversion_mapping": "model key_mapping hf_quantizer add_legacy",
    "transformers.core_model_loading:rename_source_key": "source_key weight_renamings weight_converters base_model_prefix "
    "meta_state_dict reverse",
    "transformers.core_model_loading:WeightConverter.add_tensor": "self target_key source_key source_pattern future",
    "transformers.core_model_loading:WeightConverter.convert": "self layer_name model config hf_quantizer loading_info",
    # Public in what they do, but documented nowhere.
    "accelerate.data_loader:prepare_data_loader": "dataloader device num_processes process_index split_batches "
    "put_on_device rng_types dispatch_batches even_batches slice_fn_for_dispatch use_seedable_sampler data_seed "
    "non_blocking use_stateful_dataloader torch_device_mesh",
    "datasets.utils.file_utils:xopen": "file mode args download_config kwargs",
    "huggingface_hub.utils:WeakFileLock": "lock_file timeout",
    "peft.utils.constants:DUMMY_TARGET_MODULES": None,
    "trl.data_utils:prepare_multimodal_messages": "messages images",
}
# Set on objects while they are made or run, so that no class has them: tests of the behaviour hold them.
OF_OBJECTS = {
    "_actions": "argparse, of TrlParser: which options a recipe may name",
    "_eos_token_tensor": "generate sets it on the generation config: which ends it is going to use",
    "_hf_hook": "accelerate sets it on a module that it has offloaded",
    "_mask_length": "generate sets it on the generation config: how long the prompt is",
    "_name_or_path": "where a configuration was loaded from: it is not saved with the model",
}
PUBLIC = {"_exit"}  # of os: documented, in spite of its name
FOLDERS = [
    *("checkpoints", "conversion", "curation", "evaluation", "hub_cards", "inference"),
    *("minigpt4", "modeling_minigpt4", "processing", "training"),
]
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if "space" not in file.parts)


LIBRARIES = {"accelerate", "datasets", "gradio", "huggingface_hub", "peft", "transformers", "trl"}


@pytest.mark.parametrize(("where", "parameters"), SEAMS.items(), ids=str)
def test_a_seam_holds(where, parameters):
    value = resolve_name(where)
    if parameters is not None:
        assert " ".join(inspect.signature(value).parameters) == parameters


def test_every_private_name_that_is_used_is_a_seam():
    listed = {where.rpartition(".")[2].rpartition(":")[2] for where in SEAMS} | {*OF_OBJECTS} | PUBLIC
    listed |= {name for parameters in SEAMS.values() for name in (parameters or "").split()}
    trees = {file: ast.parse(file.read_text()) for file in FILES}
    ours = {name for tree in trees.values() for name in defined(tree)}
    used = {name: file.relative_to(ROOT) for file, tree in trees.items() for name in private_names(tree, ours)}
    assert {name: str(file) for name, file in used.items() if name not in listed} == {}
    stale = [name for name in OF_OBJECTS if name not in used]
    assert stale == []


def test_every_private_name_that_is_overridden_is_a_seam():
    overridden = {where for cls in own_classes() for name in vars(cls) for where in private_in_bases(cls, name)}
    assert overridden - {*SEAMS} == set()


def defined(tree: ast.AST):
    """Names that a file of ours gives to functions, classes, variables and attributes."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                yield name


def private_names(tree: ast.AST, ours: set[str]):
    """Names with one underscore that are not ours: attributes, imports, arguments by name, and texts for `getattr`."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.keyword(arg=str(name)) if is_private(name) and name not in ours:
                yield name
            case ast.ImportFrom(module=str(module), level=0) if not module.startswith("minigpt4"):
                yield from (alias.name for alias in node.names if is_private(alias.name))
            case ast.Call(func=ast.Name(id="getattr" | "hasattr"), args=[_, ast.Constant(value=str(name)), *_]):
                if is_private(name) and name not in ours:
                    yield name


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in ("_", "_abc_impl")  # Python's own


def own_classes() -> set[type]:
    # Not those of the harnesses, which are not installed here.
    files = [file for file in FILES if file.name != "__main__.py" and file.parent.name != "harnesses"]
    modules = [import_module(module_of(file)) for file in files]
    found = {value for module in modules for value in vars(module).values() if inspect.isclass(value)}
    return {value for value in found if value.__module__.startswith("minigpt4.")}


def module_of(file: Path) -> str:
    path = file.relative_to(ROOT).with_suffix("")
    parts = path.parts if path.parts[0] == "minigpt4" else ("minigpt4", *path.parts)
    return ".".join(parts).removesuffix(".__init__")


def private_in_bases(cls: type, name: str):
    """Where a name of `cls` stands in the classes of the libraries that it inherits from, first of all."""
    bases = [base for base in cls.__mro__[1:] if is_private(name) and name in vars(base)]
    if bases and bases[0].__module__.partition(".")[0] in LIBRARIES:
        yield f"{bases[0].__module__}:{bases[0].__qualname__}.{name}"


def test_where_a_seam_stands_the_next_major_version_waits():
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    needed = [Requirement(line) for line in config["options"]["install_requires"].split("\n") if line.strip()]
    bounded = {each.name.replace("-", "_") for each in needed if "<" in {part.operator for part in each.specifier}}
    assert {where.partition(".")[0] for where in SEAMS} - bounded == set()
