"""What a recipe configures: training, sequences, model and data."""

from dataclasses import dataclass, field

from transformers import SchedulerType, TrainingArguments
from transformers.integrations import is_tensorboard_available, is_trackio_available
from trl import ModelConfig


@dataclass
class StageArguments(TrainingArguments):
    """
    `TrainingArguments` with a mask and the published learning-rate curve.

    Args:
        mask (`str`, *optional*, defaults to `"projector"`):
            What learns: a name of [`minigpt4.training.MASKS`], or in a recipe a list of patterns. Everything else is
            frozen.
        min_lr (`float`, *optional*, defaults to 8e-5):
            Learning rate at the last step; `learning_rate` is the one after the warm-up.
        warmup_lr (`float`, *optional*, defaults to 1e-6):
            Learning rate at the first step.
        samples (`int`, *optional*, defaults to 4):
            How many of the first evaluation rows are answered greedily at every evaluation, into `samples.jsonl`.
        save (`str`, *optional*, defaults to `"learned"`):
            What runs of recipes save: `"learned"`, with a note of the frozen base, or `"full"`, everything. With LoRA,
            `"full"` merges it at the end.
        features (`str`, *optional*):
            Folder of `minigpt4 cache-features`: the frozen towers do not run then.
        packing (`bool`, *optional*):
            Lay rows end to end without padding. Default: wherever the language model can.
    """

    mask: str = field(default="projector", metadata={"help": "What learns: the name of a mask."})
    min_lr: float = field(default=8e-5, metadata={"help": "Learning rate at the last step."})
    warmup_lr: float = field(default=1e-6, metadata={"help": "Learning rate at the first step."})
    samples: int = field(default=4, metadata={"help": "How many fixed rows are answered at every evaluation."})
    save: str = field(default="learned", metadata={"help": "What is saved.", "choices": ["learned", "full"]})

    features: str | None = field(default=None, metadata={"help": "Folder of cached features."})
    packing: bool | None = field(default=None, metadata={"help": "No padding. Default: where it can be."})

    def __post_init__(self):
        if self.save not in ("learned", "full"):
            raise ValueError(f"save must be 'learned' or 'full' (got {self.save!r}).")
        super().__post_init__()
        for name, available in (("tensorboard", is_tensorboard_available), ("trackio", is_trackio_available)):
            if name in self.report_to and not available():
                raise ValueError(
                    f"report_to is {name}, which is not installed: run pip install '.[tracking]' in minigpt4's repository."
                )
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0 (got {self.learning_rate}).")
        if self.label_smoothing_factor:
            raise ValueError("label_smoothing_factor would also train the image placeholder: remove it.")
        if self.lr_scheduler_type != SchedulerType.LINEAR:  # the default
            raise ValueError(
                f"lr_scheduler_type is {self.lr_scheduler_type.value}, but the rate follows the published curve: leave it "
                "out, and set warmup_lr, learning_rate and min_lr."
            )


@dataclass
class SequenceArguments:
    """
    The training sequence: `<s>`, a prompt around the image, an answer and its end; or a whole chat.

    Args:
        prompts (`list[str]`, *optional*, defaults to `["<ImageHere>"]`):
            For rows with `text`: prompts with an image placeholder; one is drawn for each batch. Stage 1 has the bare
            image.
        answer_end (`str`, *optional*):
            What ends the answer of such a row: a line break in stage 1. Default, and `null` in a recipe: the model's own
            end, which is the mark of its chat form where it has one (`###`), else its tokenizer's end token.
        max_answer_tokens (`int`, *optional*, defaults to 32):
            Maximum length in tokens of the answer of such a row, with its end: 32 in stage 1, 160 in stage 2.
        training_template (`str`, *optional*):
            For rows with `messages`: a name of a [`~minigpt4.training.sequences.templates.training_template`] or the path of a
            Jinja file, with `{% generation %}` around what is learned. Default: the model's own form, which is the template of this name
            where its chat template is a published one, and else that chat template.
        max_length (`int`, *optional*, defaults to 1024):
            What follows the first prompt of a row with `messages`, its answers and later questions, is cut at so many
            tokens, as MiniGPT-v2's is.
        max_context_length (`int`, *optional*, defaults to 3800):
            The first prompt of any row, its images included and its `<s>` not, is limited to this number of tokens.
        instructions (`list[str]`, *optional*):
            For rows with `text`, in place of `prompts`: what a user asks about the image in the model's own chat form, in which
            `text` is the answer and ends as its answers do. One is drawn for each batch; an empty one leaves the bare image.

    An image is never cut.

    Raises:
        ValueError: a limit is below 1.
    """

    prompts: list[str] = field(default_factory=lambda: ["<ImageHere>"])
    answer_end: str | None = None
    max_answer_tokens: int = 32
    training_template: str | None = None
    max_length: int = 1024
    max_context_length: int = 3800
    instructions: list[str] = field(default_factory=list)

    def __post_init__(self):
        for name in ("max_answer_tokens", "max_length", "max_context_length"):
            if (limit := getattr(self, name)) < 1:
                raise ValueError(f"{name} must be at least 1 (got {limit}).")
        if isinstance(self.prompts, str):
            self.prompts = [self.prompts]
        if isinstance(self.instructions, str):
            self.instructions = [self.instructions]
        if self.instructions and self.answer_end is not None:
            raise ValueError(
                f"answer_end is {self.answer_end!r}, but with instructions an answer ends as the chat form says: leave one out."
            )


@dataclass
class ModelArguments(ModelConfig):
    """
    TRL's `ModelConfig` with the published LoRA as its default, for a recipe that says `use_peft: true`.

    Args:
        model_name_or_path (`str`, *optional*):
            Folder or Hub id of a MiniGPT-4; `nano` and `nano-v2` are the ones inside this package.
        model_config (`dict`, *optional*):
            Fields of `MiniGPT4Config` that replace the checkpoint's, as the ablations need, and fields of its parts:
            `{vision_config: {image_size: 448}}` replaces no other. What they leave without fitting weights must be part of
            the projection, which then starts anew; position embeddings are resized for images of another size.
        trust_remote_code (`bool`, *optional*, defaults to `False`):
            Run code that the checkpoint brings for its tokenizer or processors. Only a command can set it, never a recipe file.
    """

    dtype: str | None = field(default=None, metadata={"help": "Of what is frozen. Default: bfloat16 with bf16."})
    lora_r: int = field(default=64, metadata={"help": "Rank of LoRA."})
    lora_alpha: int = field(default=16, metadata={"help": "Scale of LoRA, over its rank."})
    model_config: dict | None = field(default=None, metadata={"help": "Fields of the configuration to replace."})
    trust_remote_code: bool = field(default=False, metadata={"help": "Run code that the checkpoint brings along."})

    def __post_init__(self):
        if self.dtype not in (None, "auto", "bfloat16", "float16", "float32"):
            raise ValueError(f"dtype must be bfloat16, float16, float32 or auto (got {self.dtype!r}).")
        super().__post_init__()


@dataclass
class DataArguments:
    """
    What is trained on. Rows have an `image` and its `text`, or `images` and `messages`.

    Args:
        data (`str`, *optional*):
            A name of [`minigpt4.training.data.sources.SCENES`] or of a published set ([`minigpt4.training.data.sets.SETS`]), a folder
            of images with a `metadata.jsonl` or `metadata.csv`, a `.json` file in LLaVA's form, a folder saved by
            `datasets`, webdataset shards (`laion/{00000..10488}.tar`, also `hf://…`, `s3://…`), or the name of a set on
            the Hub. In a recipe also a list of [`SetArguments`] such as `{name: …, ratio: 2, batch_size: 6}`.
        data_root (`str`, *optional*): the folder that holds the published sets and shards; docs/data.md lists where each
            belongs in it.
        data_config (`str`, *optional*): configuration of a set on the Hub.
        data_split (`str`, *optional*, defaults to `"train"`): split to train on.
        data_columns (`dict`, *optional*): our name of a column -> its name in the data, as `{text: caption}`.
        data_rows (`int`, *optional*): maximum number of rows; for drawn data, their number.
        streaming (`bool`, *optional*, defaults to `False`): read while training, which needs `max_steps`.
            Rows of `eval_data` are held in memory: `eval_rows` limits them.
        max_broken (`float`, *optional*, defaults to 0.01): the share of rows that may be missing or broken; they are counted.
        shuffle_buffer (`int`, *optional*, defaults to 1000): number of samples of a stream shuffled at a time.
        eval_data (`str`, *optional*): like `data`, to evaluate on.
        eval_split (`str`, *optional*, defaults to `"validation"`): split to evaluate on.
        eval_rows (`int`, *optional*): maximum number of rows to evaluate on.
        eval_tasks (`list[str]`, *optional*):
            Tasks of `minigpt4 evaluate` to run at every evaluation, over their files in `data_root`. Their scores are logged as
            `eval_TASK`, which `metric_for_best_model` may name. It needs `eval_data`.
        eval_tasks_samples (`int`, *optional*): maximum number of samples of each task.
    """

    data: str | None = field(default=None, metadata={"help": "Scenes, a folder, or a set on the Hub."})
    data_root: str | None = field(default=None, metadata={"help": "Folder of the published sets."})
    data_config: str | None = field(default=None, metadata={"help": "Configuration of a set on the Hub."})
    data_split: str = field(default="train", metadata={"help": "Split to train on."})
    data_columns: dict | None = field(default=None, metadata={"help": "Our column names -> the data's."})
    data_rows: int | None = field(default=None, metadata={"help": "Maximum number of rows."})
    streaming: bool = field(default=False, metadata={"help": "Read while training."})
    max_broken: float = field(default=0.01, metadata={"help": "Share of rows that may be missing or broken."})
    shuffle_buffer: int = field(default=1000, metadata={"help": "Samples of a stream that are shuffled at a time."})
    eval_data: str | None = field(default=None, metadata={"help": "What to evaluate on."})
    eval_split: str = field(default="validation", metadata={"help": "Split to evaluate on."})
    eval_rows: int | None = field(default=None, metadata={"help": "Maximum number of rows to evaluate on."})
    eval_tasks: list[str] = field(default_factory=list, metadata={"help": "Tasks to run at every evaluation."})
    eval_tasks_samples: int | None = field(default=None, metadata={"help": "Maximum number of samples of each task."})


@dataclass
class SetArguments:
    """
    One of several sets to train on, as a recipe lists them in `data`.

    Args:
        name (`str`): like `data`.
        ratio (`float`, *optional*, defaults to 1.0): how many of the batches are of it, beside the others' ratios.
        batch_size (`int`, *optional*): rows of its batches. Default: `per_device_train_batch_size`.
        max_broken (`float`, *optional*): of its rows. Default: the recipe's.
        config, split, columns, rows (*optional*): override `data_config` and so on for this set.
    """

    name: str
    ratio: float = 1.0
    batch_size: int | None = None
    max_broken: float | None = None
    config: str | None = None
    split: str | None = None
    columns: dict | None = None
    rows: int | None = None
