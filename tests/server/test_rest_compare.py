"""A comparison through the API: its plan, its job, and how a prompt falls into tokens."""

from typing import Any

import pytest

from tests.server.conftest import House

WISH = {"prompt": "a hamster", "steps": 2, "seed": 5, "width": 64, "height": 64}
AXES = [{"field": "steps", "values": [2, 8]}, {"field": "seed", "values": [1, 2, 3]}]


def planned(house: House, **more: Any) -> dict[str, Any]:
    answer = house.client.post("/api/plan", json={"request": WISH, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_plan_of_a_table_is_that_of_its_cells(house: House) -> None:
    table = planned(house, grid={"axes": AXES})
    assert table["images"] == 6
    seeds = {"field": "seed", "values": [1, 2, 3]}
    few = planned(house, grid={"axes": [seeds]})
    many = planned(house, grid={"axes": [seeds, {"field": "steps", "values": [8]}]})
    assert table["seconds"] == pytest.approx(few["seconds"] + many["seconds"])
    assert table["peak_bytes"] == max(few["peak_bytes"], many["peak_bytes"])


def test_a_table_that_cannot_be_meant_is_refused_before_it_runs(house: House) -> None:
    for axes in ([{"field": "image", "values": ["x"]}], [{"field": "steps", "values": [0, 4]}]):
        for path in "/api/plan", "/api/jobs":
            answer = house.client.post(path, json={"request": WISH, "grid": {"axes": axes}})
            assert answer.status_code == 422, answer.text
            assert answer.json()["error"]["message"]
    assert house.client.get("/api/jobs").json()["jobs"] == []


def test_a_table_is_one_job_with_its_labels(house: House) -> None:
    answer = house.client.post("/api/jobs", json={"request": WISH, "grid": {"axes": AXES}})
    assert answer.status_code == 201, answer.text
    job = house.client.get(f"/api/jobs/{answer.json()['job']['id']}").json()["job"]
    assert job["images"] == 6
    assert [(one["seed"], one["steps"]) for one in job["requests"]] == [
        (seed, steps) for seed in (1, 2, 3) for steps in (2, 8)
    ]
    assert job["grid"]["axes"][0] == {
        "field": "steps",
        "label": "Steps",
        "values": [2, 8],
        "labels": ["2", "8"],
    }


def test_what_is_not_compared_has_one_seed(house: House) -> None:
    wish = {name: value for name, value in WISH.items() if name != "seed"}
    axes = [{"field": "guidance", "values": [1, 4, 8]}]
    answer = house.client.post("/api/jobs", json={"request": wish, "grid": {"axes": axes}})
    job = house.client.get(f"/api/jobs/{answer.json()['job']['id']}").json()["job"]
    assert len({one["seed"] for one in job["requests"]}) == 1


def test_the_tokens_of_a_prompt(house: House) -> None:
    words = {"prompt": "a hamster on a blue background"}
    meter = house.client.post("/api/tokens", json=words).json()["prompt"]
    assert len(meter["pieces"]) == meter["tokens"] >= 6
    spelt = "".join(one["text"] + " " * one["ends_word"] for one in meter["pieces"])
    assert spelt.split() == words["prompt"].split()
