"""The one rule for keys: none missing, none left over, none of another shape."""

import pytest

from minigpt4.checkpoints.fit import misfit, refuse_misfit


REPORT = {
    "missing_keys": {"projector.weight"},
    "unexpected_keys": {"qformer.a", "qformer.b", "qformer.c", "qformer.d"},
    "mismatched_keys": {("projector.bias", (3,), (4,))},
}


def test_each_kind_of_misfit_is_named():
    assert misfit() == ""
    assert misfit(*REPORT.values()) == (
        "1 missing (projector.weight); 4 unexpected (qformer.a, qformer.b, qformer.c, …); "
        "1 of another shape (projector.bias)"
    )


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        ({}, "weights of somewhere do not fit its configuration: 1 missing .*; 4 unexpected .*; 1 of another shape"),
        ({"new": ("projector.",)}, "configuration: 4 unexpected"),
        ({"dropped": ("qformer.",)}, "configuration: 1 missing .*; 1 of another shape"),
        ({"dropped": ("qformer.",), "new": ("projector.w",)}, r"configuration: 1 of another shape \(projector.bias\)"),
    ],
)
def test_only_what_is_allowed_may_differ(allowed, found):
    with pytest.raises(ValueError, match=found):
        refuse_misfit("somewhere", REPORT, **allowed)
    refuse_misfit("somewhere", REPORT, new=("projector.",), dropped=("qformer.",))
