"""A language model's own chat form with pictures in it."""

import json
import re
from dataclasses import dataclass
from itertools import takewhile

from transformers import PreTrainedTokenizerBase


# Words that no template changes, and where they stand in what it writes.
_QUESTION, _ANSWER = "zqzqzq", "zazaza"
_GENERATION = re.compile(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}")

# In front of the model's own template: a message with pictures becomes text, with a placeholder for each.
_PRELUDE = """\
{#- The language model's own chat form: a picture is one <ImageHere> between its marks, in the text of its message. -#}
{%- macro minigpt4_text(content) -%}
    {%- for item in content -%}
        {{- "" if loop.first else " " -}}
        {%- if item.type == "image" -%}
            {{- "<Img><ImageHere></Img>" -}}
        {%- elif item.type == "text" -%}
            {{- item.text -}}
        {%- else -%}
            {{- raise_exception("MiniGPT-4 reads text and images, not " ~ item.type ~ ".") -}}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro -%}
{%- set minigpt4 = namespace(messages=[]) -%}
{%- for message in messages -%}
    {%- if message.content is defined and message.content is not string and message.content is iterable -%}
        {%- set minigpt4.messages = minigpt4.messages + [dict(message, content=minigpt4_text(message.content))] -%}
    {%- else -%}
        {%- set minigpt4.messages = minigpt4.messages + [message] -%}
    {%- endif -%}
{%- endfor -%}
{%- set messages = minigpt4.messages -%}
{% set minigpt4_chat +%}"""
# Behind it: what stands between the start of an answer and its end, the end included, is marked as the model's own words.
_POSTLUDE = """\
{%+ endset -%}
{%- set minigpt4_turns = minigpt4_chat.split(START) -%}
{{- minigpt4_turns[0] -}}
{%- for turn in minigpt4_turns[1:] -%}
    {{- START -}}
    {%- set answer = turn.split(END)[0] + END -%}
    {%- if turn.startswith(answer) -%}
        {% generation %}{{- answer -}}{% endgeneration %}
        {{- turn[answer | length:] -}}
    {%- else -%}
        {{- turn -}}
    {%- endif -%}
{%- endfor -%}
"""


@dataclass(frozen=True)
class OwnChat:
    """
    Args:
        template (`str`): Jinja source, with `{% generation %}` around what the model says.
        end (`str`): the special token that ends an answer.
        starts (`list[str]`): after which an answer begins, as written, and as decoded without special tokens.
    """

    template: str
    end: str
    starts: list[str]


def own_chat(tokenizer: PreTrainedTokenizerBase) -> OwnChat:
    """
    Wrap the chat template of a language model, so that a conversation of text alone is written as the model's own.

    Tools, thinking switches and whatever else the template takes reach it as they are given.

    Args:
        tokenizer (`PreTrainedTokenizerBase`): the language model's, with its chat template.

    Raises:
        ValueError: there is no template, or it does not say where an answer begins, or where it ends.
    """
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    if not template:
        raise ValueError(
            "The language model has no chat template of its own: take an instruction-tuned one, or another --chat."
        )
    question = [{"role": "user", "content": _QUESTION}]
    try:
        asked = tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template([*question, {"role": "assistant", "content": _ANSWER}], tokenize=False)
    except Exception as error:  # of Jinja, or what a template raises
        raise ValueError(
            f"The language model's own chat template fails for a question and its answer: {error}"
        ) from error
    before, found, after = whole.rpartition(_ANSWER)
    start = _common_start(asked.rpartition(_QUESTION)[2], before.rpartition(_QUESTION)[2])
    if not found or _QUESTION not in asked or not start.strip():
        raise ValueError(
            "The language model's own chat template does not mark where an answer begins: take another --chat."
        )
    specials = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    ends = sorted((token for token in specials if token in after), key=after.index)
    if not ends:
        raise ValueError(
            "The language model's own chat template ends an answer in no special token: take another --chat."
        )
    # A template that marks answers by itself says less than the wrapper, which also marks their ends.
    inner = _GENERATION.sub(
        lambda tag: "{%" + tag[1] + (" endif " if tag[2] else " if true ") + tag[3] + "%}", template
    )
    names = {"START": json.dumps(start), "END": json.dumps(ends[0])}
    behind = re.sub(r"\b(START|END)\b", lambda name: names[name[0]], _POSTLUDE)
    decoded = tokenizer.decode(tokenizer.encode(start, add_special_tokens=False), skip_special_tokens=True)
    return OwnChat(
        _PRELUDE + inner + behind, ends[0], [mark for mark in dict.fromkeys((start, decoded)) if mark.strip()]
    )


def _common_start(first: str, second: str) -> str:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, second, strict=False))
    return "".join(letter for letter, _ in same)
