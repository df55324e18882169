"""What the parts of nano show while they learn."""

from io import StringIO
from queue import SimpleQueue

from rich.console import Console

from minigpt4.training.nano.progress import Step, Steps, report, report_to, shown


def test_bars_of_parts_that_learn_side_by_side():
    screen = StringIO()
    steps = Steps(Console(file=screen, force_terminal=True, width=100, color_system=None))
    for step in (Step("ViT", 0, 9000), Step("language model", 40, 500, 2.5), Step("ViT", 4500, 9000, 0.1234)):
        steps.show(step)
    steps.console.print(steps.bars)
    vit, language = [line for line in screen.getvalue().splitlines() if "/" in line][-2:]
    assert vit.split()[0] == "ViT"
    assert "4500/9000" in vit
    assert "loss 0.1234" in vit
    assert "40/500" in language.replace(" ", "")
    assert "loss 2.5000" in language
    assert "it/s" not in screen.getvalue()


def test_lines_where_there_is_no_terminal_from_reports():
    log, reports = StringIO(), SimpleQueue()
    report_to(reports)
    try:
        with shown(reports, Steps(Console(file=log, width=40))):
            for number in range(0, 101, 20):
                report(Step("language model, lookups", number, 100, 1.0))
    finally:
        report_to(None)
    lines = log.getvalue().splitlines()
    assert lines[0] == "language model, lookups  0/100  loss 1.0000"  # in one piece
    assert lines[-1] == "language model, lookups  100/100  loss 1.0000"
