"""What a model, a folder or Hub id, makes of a picture: in the tests, and as a program of a person who trusts its code,
`python answers.py NAME`, which prints it."""

import json
import sys

from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, pipeline


def answers(name: str, **kwargs) -> dict:
    picture = {"images": Image.new("RGB", (40, 30), "red"), "text": "<ImageHere> What?"}
    model = AutoModelForImageTextToText.from_pretrained(name, **kwargs)
    inputs = AutoProcessor.from_pretrained(name, **kwargs)(**picture, return_tensors="pt")
    [piped] = pipeline("image-text-to-text", model=name, **kwargs)(**picture, return_full_text=False)
    return {
        "logits": model(**inputs).logits.tolist(),
        "ids": model.generate(**inputs).tolist(),
        "piped": piped["generated_text"],
    }


if __name__ == "__main__":
    print(json.dumps(answers(sys.argv[1], trust_remote_code=True)))
