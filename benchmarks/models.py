"""The benchmark model, the peer with the same weights, and LLaVA of the same size.

About 77 million parameters in the proportions of MiniGPT-4: a picture of 224 pixels is 257 positions of the vision tower,
32 of the language model, which has 32,000 rows.
"""

import random
from io import BytesIO

import torch
from PIL import Image
from transformers import (
    AutoProcessor,
    Blip2Config,
    Blip2ForConditionalGeneration,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedModel,
)

from minigpt4 import MiniGPT4Config, MiniGPT4ForConditionalGeneration, MiniGPT4Processor, nano_path


IMAGE_SIZE, IMAGE_TOKENS, PATCHES = 224, 32, 256
VISION = {
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "image_size": IMAGE_SIZE,
    "patch_size": 14,
    "initializer_range": 0.02,  # the class's default is 1e-10
}
QFORMER = {
    "hidden_size": 384,
    "intermediate_size": 1536,
    "num_hidden_layers": 4,
    "num_attention_heads": 6,
    "encoder_hidden_size": 384,
    "hidden_dropout_prob": 0.0,  # the peer's frozen Q-Former would still apply it, and the losses would differ
    "attention_probs_dropout_prob": 0.0,
}
TEXT = {
    "model_type": "llama",
    "vocab_size": 32000,
    "hidden_size": 512,
    "intermediate_size": 1376,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "max_position_embeddings": 2048,
}

ENDS = ("bos_token_id", "eos_token_id", "pad_token_id")


def processor() -> MiniGPT4Processor:
    """nano's tokenizer, whose 688 tokens are the first rows of the vocabulary, and pictures of 224 pixels."""
    made = AutoProcessor.from_pretrained(nano_path())
    made.image_processor.size = {"height": IMAGE_SIZE, "width": IMAGE_SIZE}
    made.num_image_tokens = IMAGE_TOKENS
    return made


def config(vision: dict = VISION, qformer: dict = QFORMER, text: dict = TEXT) -> MiniGPT4Config:
    """Configuration of the benchmark size, or of another one, with the ids of [`processor`]."""
    tokenizer = processor().tokenizer
    return MiniGPT4Config(
        vision_config=vision,
        qformer_config=qformer,
        text_config={**text, **{name: getattr(tokenizer, name) for name in ENDS}},
        num_query_tokens=IMAGE_TOKENS,
        image_token_id=tokenizer.convert_tokens_to_ids("<ImageHere>"),
    )


def blip2_config(config: MiniGPT4Config) -> Blip2Config:
    """The same towers and language model in BLIP-2."""
    return Blip2Config(
        vision_config=config.vision_config.to_dict(),
        qformer_config=config.qformer_config.to_dict(),
        text_config=config.text_config.to_dict(),
        num_query_tokens=config.num_query_tokens,
        image_token_id=config.image_token_id,
    )


def ours(text: dict | None = None) -> MiniGPT4ForConditionalGeneration:
    """This package's model, seeded, in float32 and eval mode; `text` in place of the language model's sizes."""
    torch.manual_seed(0)
    model = MiniGPT4ForConditionalGeneration(config(text=text or TEXT)).eval()
    ends = {name: getattr(model.config.text_config, name) for name in ENDS}
    model.generation_config.update(do_sample=False, **ends)
    return model


def peer() -> Blip2ForConditionalGeneration:
    """BLIP-2 over the same Llama, with the same weights everywhere."""
    mine = ours()
    model = Blip2ForConditionalGeneration(blip2_config(mine.config)).eval()
    renamed = {
        "model.vision_tower.": "vision_model.",
        "model.qformer.": "qformer.",
        "model.query_tokens": "query_tokens",
        "model.multi_modal_projector.": "language_projection.",
        "model.language_model.": "language_model.model.",
        "lm_head.": "language_model.lm_head.",
    }
    state = {}
    for name, tensor in mine.state_dict().items():
        prefix = next(prefix for prefix in renamed if name.startswith(prefix))
        state[renamed[prefix] + name.removeprefix(prefix)] = tensor
    model.load_state_dict(state)
    model.generation_config.update(**mine.generation_config.to_diff_dict())
    return model


def llava() -> LlavaForConditionalGeneration:
    """LLaVA with a vision tower and a Llama of the same sizes, seeded: a picture is 256 positions of the language model."""
    mine = config()
    tower = {name: size for name, size in VISION.items() if name != "initializer_range"}
    settings = LlavaConfig(
        vision_config=CLIPVisionConfig(**tower, projection_dim=VISION["hidden_size"]),
        text_config=mine.text_config,
        image_token_id=mine.image_token_id,
        image_seq_length=PATCHES,
    )
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(settings).eval()
    ends = {name: getattr(mine.text_config, name) for name in ENDS}
    model.generation_config.update(do_sample=False, **ends)
    return model


def llava_processor() -> LlavaProcessor:
    """The same tokenizer, and a chat template with what surrounds a question in ours."""
    tokenizer = processor().tokenizer
    tokenizer.padding_side = "left"
    return LlavaProcessor(
        image_processor=CLIPImageProcessorPil(),
        tokenizer=tokenizer,
        patch_size=VISION["patch_size"],
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        image_token="<ImageHere>",
        chat_template="{% for message in messages %}###Human: {% for part in message.content %}"
        "{% if part.type == 'image' %}<Img><ImageHere></Img> {% else %}{{ part.text }}{% endif %}{% endfor %}"
        "{% endfor %}###Assistant: ",
    )


def speaking(model: PreTrainedModel) -> PreTrainedModel:
    """The model, which from now on generates only tokens of nano's vocabulary, up to the maximum length."""
    tokenizer, head = processor().tokenizer, model.get_output_embeddings()
    spoken = torch.zeros(len(head.weight), dtype=torch.bool)
    spoken[[tokenizer.convert_tokens_to_ids(f"▁{word}") for word in words()]] = True
    with torch.no_grad():
        head.weight[~spoken] = 0
    return model


def words() -> list[str]:
    """Words that are one token each."""
    tokenizer = processor().tokenizer
    pieces = sorted(token[1:] for token in tokenizer.get_vocab() if token.startswith("▁") and token[1:].isalpha())
    return [word for word in pieces if len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1]


def picture(seed: int) -> bytes:
    """A JPEG of coloured noise, 320 x 240."""
    noise = Image.frombytes("RGB", (40, 30), random.Random(seed).randbytes(40 * 30 * 3))
    file = BytesIO()
    noise.resize((320, 240), Image.Resampling.BICUBIC).save(file, "JPEG")
    return file.getvalue()


def rows(count: int, shortest: int, longest: int) -> list[dict]:
    """
    Pictures with texts.

    Args:
        count (`int`): how many.
        shortest, longest (`int`): tokens of a text with its end; all lengths between them are equally likely.
    """
    draw, known = random.Random(f"{count} {shortest} {longest}"), words()
    lengths = [draw.randint(shortest, longest) for _ in range(count)]
    texts = [" ".join(draw.choices(known, k=length - 1)) for length in lengths]
    return [{"image": picture(number), "text": text} for number, text in enumerate(texts)]
