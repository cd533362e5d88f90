"""Names of samplers and schedules as people and other programs write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.errors import RequestError
from darkroom.names import SAMPLERS, SCHEDULES, sampler_named, schedule_named


@pytest.mark.parametrize(
    ("written", "sampler", "schedule"),
    [
        ("ddim", "ddim", None),
        ("DDIM", "ddim", None),
        ("plms", "plms", None),
        ("pndm", "plms", None),
        ("dpm_solver", "dpm_solver", None),
        ("dpm", "dpm_solver", None),
        ("DPM-Solver++", "dpm_solver", None),
        ("Euler", "euler", None),
        ("k_euler", "euler", None),
        ("Euler a", "euler_ancestral", None),
        ("euler_a", "euler_ancestral", None),
        ("k_euler_ancestral", "euler_ancestral", None),
        ("  Euler   Ancestral ", "euler_ancestral", None),
        ("DPM++ 2M", "dpmpp_2m", None),
        ("dpm++_2m", "dpmpp_2m", None),
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("dpmpp_2m_karras", "dpmpp_2m", "karras"),
        ("dpmpp_2m_k", "dpmpp_2m", "karras"),
        ("k_dpmpp_2m", "dpmpp_2m", None),
        ("Euler a Trailing", "euler_ancestral", "trailing"),
        ("ddim uniform", "ddim", "normal"),
    ],
)
def test_sampler_spellings(written: str, sampler: str, schedule: str | None) -> None:
    assert sampler_named(written) == (sampler, schedule)


@pytest.mark.parametrize(
    ("written", "schedule"),
    [
        ("Karras", "karras"),
        ("TIME UNIFORM", "time_uniform"),
        ("time-uniform", "time_uniform"),
        ("Uniform", "normal"),
        ("ldm", "ldm"),
        ("trailing", "trailing"),
    ],
)
def test_schedule_spellings(written: str, schedule: str) -> None:
    assert schedule_named(written) == schedule


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("eulr", "euler"),
        ("dppmp_2m", "dpmpp_2m"),
        ("DPM++ 2MM", "dpmpp_2m"),
        ("dimm", "ddim"),
        ("plm", "plms"),
        ("euler_ancestrall", "euler_ancestral"),
    ],
)
def test_a_misspelt_sampler_names_the_nearest_and_lists_all(written: str, nearest: str) -> None:
    with pytest.raises(RequestError) as caught:
        sampler_named(written)
    assert caught.value.message.endswith(f"the nearest is {nearest}.")
    assert repr(written) in caught.value.message
    assert all(name in caught.value.hint for name in SAMPLERS)


def test_a_misspelt_schedule_names_the_nearest() -> None:
    with pytest.raises(RequestError, match="the nearest is karras"):
        schedule_named("karas")


@pytest.mark.parametrize("written", ["", " ", "\x1b[31m", "\ud800", "ß" * 1_000_000, "karras", "k"])
def test_what_is_no_sampler_is_refused_in_one_printable_line(written: str) -> None:
    with pytest.raises(RequestError) as caught:
        sampler_named(written)
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


@given(st.text())
def test_lookup_either_finds_or_refuses(written: str) -> None:
    try:
        sampler, schedule = sampler_named(written)
    except RequestError:
        return
    assert sampler in SAMPLERS
    assert schedule is None or schedule in SCHEDULES


def test_no_spelling_means_two_things() -> None:
    for entries, named in (
        (SAMPLERS, lambda text: sampler_named(text)[0]),
        (SCHEDULES, schedule_named),
    ):
        for name, entry in entries.items():
            assert name == entry.name
            for spelling in (entry.name, entry.label, *entry.aliases):
                assert named(spelling) == name


def test_the_tables_agree() -> None:
    for sampler in SAMPLERS.values():
        assert sampler.schedule is None or sampler.schedule in SCHEDULES
        for schedule in sampler.schedules or ():
            assert schedule in SCHEDULES
        if sampler.schedules is not None:
            assert sampler.schedule in sampler.schedules
