import pytest

from minigpt4.evaluation.harnesses.wording import as_read, as_trained


KNOWN = ["vqa", "refer", "caption"]
LMMS = "All values are floating point numbers bounded between 0 and 1. Please provide the bounding box coordinate of the region this sentence describes: the man on the left"
VLMEVALKIT = (
    "Please provide the bounding box coordinate of the region this sentence describes: <ref>the man on the left</ref>"
)


@pytest.mark.parametrize("prompt", [LMMS, VLMEVALKIT])
def test_a_box_is_asked_for_as_in_training(prompt):
    assert as_trained(prompt, KNOWN) == "[refer] give me the location of the man on the left"
    assert as_trained(prompt, []) == prompt


def test_a_question_gets_the_identifier_that_is_wanted():
    assert as_trained("Is there a dog?\nAnswer yes or no.", KNOWN) == "[vqa] Is there a dog?\nAnswer yes or no."
    assert as_trained("Describe it.", KNOWN, "caption") == "[caption] Describe it."
    assert as_trained("Describe it.", KNOWN, "") == as_trained("Describe it.", [], "caption") == "Describe it."
    with pytest.raises(ValueError, match="knows no task 'poem': choose from vqa, refer, caption, or none"):
        as_trained("Describe it.", KNOWN, "poem")


@pytest.mark.parametrize(
    ("answer", "shares", "thousandths"),
    [
        ("{<10><28><30><100>}", "[0.10, 0.28, 0.30, 1.00]", "[100, 280, 300, 1000]"),
        ("{<30><28><10><200>}", "[0.10, 0.28, 0.30, 1.00]", "[100, 280, 300, 1000]"),
        ("<p>a dog</p> {<0><0><1><1>}", "a dog [0.00, 0.00, 0.01, 0.01]", "a dog [0, 0, 10, 10]"),
        (
            "{<0><0><1><1>}<delim>{<1><1><2><2>}",
            *("[0.00, 0.00, 0.01, 0.01] [0.01, 0.01, 0.02, 0.02]", "[0, 0, 10, 10] [10, 10, 20, 20]"),
        ),
        ("yes.", "yes.", "yes."),
        ("", "", ""),
        ("{<10><28><30>", *["{<10><28><30>"] * 2),
    ],
)
def test_boxes_are_read_in_the_harness_numbers(answer, shares, thousandths):
    assert as_read(answer, 1) == shares
    assert as_read(answer, 1000) == thousandths
