"""Training the projection of stage 1 and stage 2, beside BLIP-2 in transformers' own `Trainer`."""

from .case import Case


CASES: list[Case] = []
