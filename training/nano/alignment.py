"""nano put together from its parts, and its projection trained in the two stages of MiniGPT-4."""

from pathlib import Path

from safetensors.torch import load_file

from minigpt4.checkpoints.families import get_family
from minigpt4.evaluation.scenes.drawing import IMAGE_SIZE
from minigpt4.modeling_minigpt4 import MiniGPT4ForConditionalGeneration
from minigpt4.modeling_minigpt4.ends_minigpt4 import end_sequences
from minigpt4.processing import MiniGPT4ImageProcessorPil, MiniGPT4Processor, chat_template
from minigpt4.training import StageTrainer, load_recipe
from minigpt4.training.data.drawn import DrawnScenes

from .joining import join
from .settings import NUM_QUERY_TOKENS, NanoRecipe, qformer_config, vision_config


def assemble(
    towers: Path, language_model: Path, seed: int
) -> tuple[MiniGPT4ForConditionalGeneration, MiniGPT4Processor]:
    """The pretrained parts in one model, with a new projection between them, and the processor that fits it."""
    model, tokenizer = join(
        load_file(towers),
        language_model,
        seed,
        vision_config=vision_config(),
        qformer_config=qformer_config(),
        num_query_tokens=NUM_QUERY_TOKENS,
    )
    model.generation_config.end_sequences = end_sequences(tokenizer, ["###"])
    processor = MiniGPT4Processor(
        MiniGPT4ImageProcessorPil(size={"height": IMAGE_SIZE, "width": IMAGE_SIZE}),
        tokenizer,
        chat_template=chat_template("vicuna"),
        num_image_tokens=NUM_QUERY_TOKENS,
        answer_starts=[get_family("vicuna").answer_start],
    )
    return model, processor


def run_stage(
    stage: int, model: MiniGPT4ForConditionalGeneration, processor: MiniGPT4Processor, recipe: NanoRecipe, folder: Path
) -> None:
    """Train the projection of `model` in stage 1 (short captions) or 2 (detailed descriptions), and save the whole
    model and its processor in `folder`."""
    name, count = (recipe.stage1, recipe.captions) if stage == 1 else (recipe.stage2, recipe.descriptions)
    args, sequence = load_recipe(name, output_dir=str(folder), seed=recipe.seed)
    rows = DrawnScenes(f"stage {stage} {recipe.seed}", count, detailed=stage == 2)
    StageTrainer(model, args, sequence, processing_class=processor, train_dataset=rows).train()
    model.eval()
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
