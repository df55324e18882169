"""What a request to the server may contain. Anything else is refused with one line, before it reaches the model."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Json, ValidationError, ValidationInfo
from transformers.cli.serving.response import ResponseHandler
from transformers.cli.serving.utils import Modality


MOST_CHARACTERS = 1_000_000

_Kind = TypeVar("_Kind", bound=BaseModel)

# The server takes a null for a value in some places.
_GIVEN: Any = {"exclude_unset": True, "exclude_none": True}

# What pydantic calls the choices of a union, in between the names of fields.
_CHOICES = {"str", "constrained-str", "bool", "int", "float"}


@dataclass(frozen=True)
class Limits:
    """Of one model."""

    positions: int | None
    vocabulary: int


def _not_above_positions(tokens: int, info: ValidationInfo[Any]) -> int:
    limits: Limits = info.context
    if limits.positions is not None and tokens > limits.positions:
        raise ValueError(f"must be at most {limits.positions}, the context length of the model")
    return tokens


def _in_vocabulary(token: int, info: ValidationInfo[Any]) -> int:
    limits: Limits = info.context
    if not 0 <= token < limits.vocabulary:
        raise ValueError(f"must be a token id from 0 to {limits.vocabulary - 1}")
    return token


def _not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _no_tools(calls: list) -> None:
    if calls:
        raise ValueError("the model does not call tools")


def _not_next_to_zero(value: float) -> float:
    if 0 < value < 1e-5:
        raise ValueError("is too small to divide logits by: give 0 for greedy decoding")
    return value


Tokens = Annotated[int, Field(ge=1), AfterValidator(_not_above_positions)]
Token = Annotated[int, AfterValidator(_in_vocabulary)]
Temperature = Annotated[float, Field(ge=0, le=2, allow_inf_nan=False), AfterValidator(_not_next_to_zero)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
# The server adds it to 1 for a repetition penalty, which is positive.
Penalty = Annotated[float, Field(gt=-1, le=2, allow_inf_nan=False)]
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
Few = Annotated[int, Field(ge=1, le=16)]
Stop = Annotated[str, Field(min_length=1, max_length=256)]
Stops = Stop | Annotated[list[Stop], Field(max_length=16)]


class _Part(BaseModel):
    """Other fields are passed on to the server unchanged."""

    model_config = ConfigDict(extra="allow")


class Text(_Part):
    type: Literal["text", "input_text", "output_text"]
    text: str


class Address(_Part):
    url: str


class Picture(_Part):
    type: Literal["image_url", "input_image"]
    image_url: str | Address

    @property
    def address(self) -> str:
        return self.image_url if isinstance(self.image_url, str) else self.image_url.url

    @address.setter
    def address(self, address: str) -> None:
        if isinstance(self.image_url, str):
            self.image_url = address
        else:
            self.image_url.url = address


Parts = list[Annotated[Text | Picture, Field(discriminator="type")]]


class Message(_Part):
    role: str  # checked by the chat template
    content: str | Parts | None = None
    tool_calls: Annotated[list, AfterValidator(_no_tools)] | None = None  # the server would drop the content

    @property
    def pictures(self) -> list[Picture]:
        return [part for part in self.content if isinstance(part, Picture)] if isinstance(self.content, list) else []

    @property
    def words(self) -> str:
        if isinstance(self.content, list):
            return " ".join(part.text for part in self.content if isinstance(part, Text))
        return self.content or ""


def _nothing_empty(messages: list[Message]) -> list[Message]:
    for index, message in enumerate(messages):
        if message.role == "user" and not message.pictures and not message.words.strip():
            raise ValueError(f"the content of message {index} is empty: add text or a picture")
    return messages


def _no_empty_input(given: "str | list[Message] | Parts") -> "str | list[Message] | Parts":
    if isinstance(given, str):
        return _not_blank(given)
    if not given:
        raise ValueError("must not be empty: add text or a picture")
    _nothing_empty([item for item in given if isinstance(item, Message)])
    return given


Messages = Annotated[list[Message], Field(min_length=1), AfterValidator(_nothing_empty)]


class Generation(_Part):
    """The fields of `generation_config` that decide how much time and memory an answer takes."""

    max_new_tokens: Tokens | None = None
    max_length: Tokens | None = None
    num_beams: Few | None = None
    num_return_sequences: Few | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None


class Request(_Part):
    """What the three kinds of request have in common."""

    model: str | None = None
    stream: bool | None = None
    temperature: Temperature | None = None
    top_p: Share | None = None
    frequency_penalty: Penalty | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)] | None = None  # what PyTorch takes
    generation_config: Json[Generation] | None = None
    chat_template_kwargs: dict[str, str | bool | int | float | None] | None = None

    @property
    def pictures(self) -> Iterator[Picture]:
        yield from ()


class Chat(Request):
    messages: Messages
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    logit_bias: dict[Token, Bias] | None = None
    stop: Stops | None = None

    @property
    def pictures(self) -> Iterator[Picture]:
        for message in self.messages:
            yield from message.pictures


class Completion(Request):
    prompt: Annotated[str, AfterValidator(_not_blank)]
    max_tokens: Tokens | None = None
    stop: Stops | None = None


class Response(Request):
    input: Annotated[str | list[Message] | Parts, AfterValidator(_no_empty_input)]
    instructions: str | None = None
    max_output_tokens: Tokens | None = None

    @property
    def pictures(self) -> Iterator[Picture]:
        for item in () if isinstance(self.input, str) else self.input:
            yield from [item] if isinstance(item, Picture) else getattr(item, "pictures", ())


class Load(_Part):
    model: str


KINDS: dict[str, type[Request]] = {
    "/v1/chat/completions": Chat,
    "/v1/completions": Completion,
    "/v1/responses": Response,
}


def read_request(kind: type[_Kind], body: bytes | bytearray, limits: Limits) -> _Kind:
    """
    The request in a body.

    Raises:
        ValueError: one line with the field, what is wrong with it, and its value.
    """
    try:
        return kind.model_validate_json(body, context=limits)
    except ValidationError as error:
        raise ValueError(_first_line(error)) from None


def written(request: Request) -> bytes:
    """The request as a body again, with numbers as they were parsed."""
    return request.model_dump_json(**_GIVEN, round_trip=True).encode()


def chat_of(request: Request) -> list[dict]:
    """The messages of a `Chat` or `Response`, as the processor takes them."""
    if isinstance(request, Response):
        # Private, as the server has no other way from `input` to messages.
        messages = ResponseHandler._normalize_input(request.model_dump(**_GIVEN, include={"input", "instructions"}))
    else:
        messages = request.model_dump(**_GIVEN, include={"messages"})["messages"]
    return ResponseHandler.get_processor_inputs_from_messages(messages, Modality.MULTIMODAL)


def _first_line(error: ValidationError) -> str:
    # Every choice of a union reports an error: the deepest one is about the choice that was meant.
    found = max(error.errors(include_url=False), key=lambda each: len(each["loc"]))
    steps = [str(step) for step in found["loc"] if step not in _CHOICES and "[" not in str(step)]
    line = f"{'.'.join(steps) or 'the request'}: {found['msg'].removeprefix('Value error, ')}"
    if found["type"] == "missing":
        return line
    given = ascii(found["input"])
    return f"{line} (got {given if len(given) <= 80 else f'{given[:80]}…'})"
