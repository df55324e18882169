"""What `PipelineTesterMixin` does with the pipeline that it has built: the sdist leaves its pipeline tests out."""

from fetch_hub_objects_for_ci import url_to_local_path
from transformers import pipeline


PICTURE = url_to_local_path("picture.png")


class ImageTextToTextPipelineTests:
    def get_test_pipeline(self, model, tokenizer, processor, dtype="float32", **components):
        """A pipeline of the given parts, and inputs for it."""
        pipe = pipeline("image-text-to-text", model=model, processor=processor, dtype=dtype, max_new_tokens=4)
        texts = ("lower newer", "upper older longer string")
        return pipe, [{"images": PICTURE, "text": f"{processor.image_token} {text}"} for text in texts]

    def run_pipeline_test(self, pipe, examples):
        example = examples[0]
        (answer,) = pipe(**example)
        assert answer["input_text"] == example["text"]
        assert answer["generated_text"].startswith(example["text"])
        assert answer["generated_text"] != example["text"]

        chats = [[{"role": "user", "content": self.content(text)}] for text in ("lower newer", "upper")]
        for chat, (answer,) in zip(chats, pipe(text=chats, batch_size=2), strict=True):
            assert answer["input_text"] == chat
            assert answer["generated_text"][:-1] == chat
            assert answer["generated_text"][-1]["role"] == "assistant"
            assert answer["generated_text"][-1]["content"]

        (only_new,) = pipe(text=chats[0], return_full_text=False)
        (whole,) = pipe(text=chats[0])
        assert only_new["generated_text"] == whole["generated_text"][-1]["content"]

        (tensors,) = pipe(text=chats[0], return_tensors=True)
        assert tensors["generated_token_ids"].ndim == 1

        (text_only,) = pipe(text="lower newer")
        assert text_only["generated_text"].startswith("lower newer")

    def content(self, text):
        return [{"type": "image", "image": PICTURE}, {"type": "text", "text": text}]
