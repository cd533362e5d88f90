"""What a comparison makes of one wish."""

from typing import Any

import pytest

from darkroom.contracts import Request
from darkroom.errors import RequestError
from darkroom.planning.comparing import AXES, axes, cells_of, expand


def test_columns_are_fastest_then_rows_then_tables() -> None:
    table = axes(
        [
            {"field": "steps", "values": [4, 8]},
            {"field": "guidance", "values": [1, 7.5]},
            {"field": "model", "values": ["mini", "sd-1.5"]},
        ]
    )
    assert cells_of(table) == 8
    made = expand(Request(prompt="a fox", seed=3, count=4, batch=2), table)
    assert [(one.model, one.guidance, one.steps) for one in made] == [
        (model, guidance, steps)
        for model in ("mini", "sd-1.5")
        for guidance in (1.0, 7.5)
        for steps in (4, 8)
    ]
    assert {(one.seed, one.count, one.batch, one.prompt) for one in made} == {(3, 1, None, "a fox")}


def test_labels_are_the_values_unless_said() -> None:
    (axis,) = axes([{"field": "guidance", "values": [0, 7.5], "label": "pull"}])
    assert (axis.label, axis.labels, axis.values) == ("pull", ("0", "7.5"), (0.0, 7.5))
    (axis,) = axes([{"field": "negative", "values": ["", "white"]}])
    assert axis.labels == ("none", "white")
    (axis,) = axes([{"field": "prompt", "values": ["a fox", ""], "labels": ["fox", "nothing"]}])
    assert (axis.label, axis.labels) == ("Prompt", ("fox", "nothing"))


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ([], "one to 3 axes"),
        ([{"field": name, "values": [1]} for name in ("steps", "seed", "eta", "rescale")], "axes"),
        ([{"field": "image", "values": ["x"]}], "cannot vary 'image'"),
        ([{"values": [1]}], "cannot vary None"),
        ([{"field": "steps", "values": []}], "no values"),
        ([{"field": "steps", "values": 4}], "no values"),
        ([{"field": "steps", "values": [4, 4]}], "value twice"),
        ([{"field": "steps", "values": [True]}], "cannot be True"),
        ([{"field": "steps", "values": [4.5]}], "cannot be 4.5"),
        ([{"field": "guidance", "values": ["x"]}], "cannot be 'x'"),
        ([{"field": "prompt", "values": [4]}], "cannot be 4"),
        ([{"field": "guidance", "values": [10**400]}], "cannot be 10000"),
        ([{"field": "steps", "values": [4], "labels": []}], "other labels"),
        ([{"field": "steps", "values": [4]}] * 2, "there twice"),
        (
            [
                {"field": "seed", "values": list(range(100))},
                {"field": "steps", "values": list(range(1, 12))},
            ],
            "1,100 images",
        ),
    ],
)
def test_tables_that_cannot_be_meant(said: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(RequestError, match=why):
        axes(said)


def test_what_is_wrong_is_not_told_at_length() -> None:
    for wrong in {"field": "guidance", "values": ["x" * 10**6]}, {"field": "x" * 10**6}:
        with pytest.raises(RequestError) as refused:
            axes([wrong])
        assert len(refused.value.message) < 100


def test_no_axis_holds_a_file() -> None:
    assert not {"image", "mask", "depth", "images", "count", "batch"} & AXES.keys()
