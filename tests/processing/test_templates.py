import pytest
from helpers import read_guide

from minigpt4.processing import chat_template


SYSTEM = (
    "Give the following image: <Img>ImageContent</Img>. You will be able to see the image once I provide it to you. "
    "Please answer my questions."
)
IMAGE = {"type": "image"}


def text(words):
    return {"type": "text", "text": words}


def user(*content):
    return {"role": "user", "content": list(content)}


def assistant(words):
    return {"role": "assistant", "content": [text(words)]}


FIRST = [user(IMAGE, text("What is it?"))]
SECOND = [*FIRST, assistant("A cat."), user(text("Sure?"))]

# The published chat prompts, with the start token that the original puts before the first segment.
PROMPTS = {
    ("vicuna", "first"): f"<s>{SYSTEM}###Human: <Img><ImageHere></Img> What is it?###Assistant: ",
    ("vicuna", "second"): (
        f"<s>{SYSTEM}###Human: <Img><ImageHere></Img> What is it?###Assistant: A cat.###Human: Sure?###Assistant: "
    ),
    ("llama2", "first"): f"<s>{SYSTEM}<s>[INST] <Img><ImageHere></Img> What is it? [/INST] ",
    ("llama2", "second"): (
        f"<s>{SYSTEM}<s>[INST] <Img><ImageHere></Img> What is it? [/INST] A cat.<s>[INST] Sure? [/INST] "
    ),
    ("v2", "first"): "<s><s>[INST] <Img><ImageHere></Img> What is it? [/INST]",
    ("v2", "second"): "<s><s>[INST] <Img><ImageHere></Img> What is it? [/INST]A cat.<s>[INST] Sure? [/INST]",
}
FAMILIES = ["vicuna", "llama2", "v2"]
END = {"vicuna": "###", "llama2": "</s>", "v2": "</s>"}


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture
def render(make_processor, family):
    processor = make_processor(family)

    def rendered(messages, **kwargs):
        return processor.apply_chat_template(messages, **kwargs)

    return rendered


def test_prompts_are_the_published_ones(render, family):
    assert render(FIRST, add_generation_prompt=True) == PROMPTS[family, "first"]
    assert render(SECOND, add_generation_prompt=True) == PROMPTS[family, "second"]


def test_a_finished_answer_carries_its_end(render, family):
    assert render([*FIRST, assistant("A cat.")]) == PROMPTS[family, "first"] + "A cat." + END[family]
    assert render([*SECOND, assistant("Yes.")]) == PROMPTS[family, "second"] + "Yes." + END[family]


def test_an_answer_can_be_begun_for_the_model(render, family):
    prompt = render([*FIRST, assistant("A black")], continue_final_message=True)
    assert prompt == PROMPTS[family, "first"] + "A black"


def test_content_may_be_a_string(render, family):
    messages = [{"role": "user", "content": "<Img><ImageHere></Img> What is it?"}]
    assert render(messages, add_generation_prompt=True) == PROMPTS[family, "first"]
    messages += [{"role": "assistant", "content": "A cat."}, {"role": "user", "content": "Sure?"}]
    assert render(messages, add_generation_prompt=True) == PROMPTS[family, "second"]


def test_text_is_taken_as_it_is(render, family):
    words = "  {{ x }}\n<b>é</b> ### [/INST] "
    expected = PROMPTS[family, "first"].replace("<Img><ImageHere></Img> What is it?", words)
    assert render([user(text(words))], add_generation_prompt=True) == expected


def test_several_images_in_a_turn_and_in_later_turns(render, family):
    image = "<Img><ImageHere></Img>"
    prompt = render([user(IMAGE, IMAGE, text("Which?")), assistant("One."), user(text("And"), IMAGE)])
    assert f"{image} {image} Which?" in prompt
    assert f"And {image}" in prompt
    assert prompt.count("<ImageHere>") == 3


def test_a_system_message_takes_the_place_of_the_published_one(render, family):
    messages = [{"role": "system", "content": [text("Be brief.")]}, *FIRST]
    expected = "<s>Be brief." + PROMPTS[family, "first"].removeprefix("<s>").removeprefix(SYSTEM)
    assert render(messages, add_generation_prompt=True) == expected
    messages[0] = {"role": "system", "content": ""}
    assert render(messages, add_generation_prompt=True) == expected.replace("Be brief.", "")


def test_a_role_or_content_that_the_model_does_not_know_is_refused(render, family):
    with pytest.raises(Exception, match=r"roles system .* and assistant, not tool"):
        render([*FIRST, {"role": "tool", "content": "4"}])
    with pytest.raises(Exception, match=r"roles system .* and assistant, not system"):
        render([*FIRST, {"role": "system", "content": "late"}])
    with pytest.raises(Exception, match="text and images, not video"):
        render([user({"type": "video"})])


# What follows the system prompt, where docs/convert.md says that it is not the original's.
GUIDE = read_guide("convert")
TWO_QUESTIONS = {
    "vicuna": "###Human: a###Human: b###Assistant: ",
    "llama2": "<s>[INST] a [/INST] <s>[INST] b [/INST] ",
    "v2": "<s>[INST] a [/INST]<s>[INST] b [/INST]",
}


def test_two_user_messages_in_a_row_are_as_documented(render, family):
    prompt = render([user(text("a")), user(text("b"))], add_generation_prompt=True)
    assert prompt == PROMPTS[family, "first"].split("###Human")[0].split("<s>[INST]")[0] + TWO_QUESTIONS[family]
    assert f"| `{family}` | `{TWO_QUESTIONS[family]}`" in GUIDE


def test_a_text_only_chat_keeps_the_system_prompt(render, family):
    prompt = render([user(text("What is it?"))], add_generation_prompt=True)
    assert prompt == PROMPTS[family, "first"].replace("<Img><ImageHere></Img> ", "")


def test_an_unknown_family_is_refused():
    with pytest.raises(ValueError, match=r"There is no chat template 'v3': choose one of llama2, v2, vicuna\."):
        chat_template("v3")
