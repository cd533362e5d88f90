"""Names of samplers and schedules as people and other programs write them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darkroom.errors import RequestError
from darkroom.names import SAMPLERS, SCHEDULES, evaluations, sampler_named, schedule_named


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


# What people bring with them: the program's own word, and what it means here.
A1111 = {
    "DPM++ 2M": "dpmpp_2m",
    "DPM++ SDE": "dpmpp_sde",
    "DPM++ 2M SDE": "dpmpp_2m_sde",
    "DPM++ 2M SDE Heun": "dpmpp_2m_sde_heun",
    "DPM++ 2S a": "dpmpp_2s_ancestral",
    "DPM++ 3M SDE": "dpmpp_3m_sde",
    "Euler a": "euler_ancestral",
    "Euler": "euler",
    "LMS": "lms",
    "Heun": "heun",
    "DPM2": "dpm_2",
    "DPM2 a": "dpm_2_ancestral",
    "Restart": "restart",
    "DDIM": "ddim",
    "PLMS": "plms",
    "UniPC": "unipc",
    "LCM": "lcm",
    "k_dpm_2_a": "dpm_2_ancestral",
    "k_dpmpp_2s_a": "dpmpp_2s_ancestral",
    "k_dpmpp_2m_sde_heun": "dpmpp_2m_sde_heun",
    "k_euler_a": "euler_ancestral",
}
COMFYUI = {
    "euler": "euler",
    "euler_ancestral": "euler_ancestral",
    "heun": "heun",
    "dpm_2": "dpm_2",
    "dpm_2_ancestral": "dpm_2_ancestral",
    "lms": "lms",
    "dpmpp_2s_ancestral": "dpmpp_2s_ancestral",
    "dpmpp_sde": "dpmpp_sde",
    "dpmpp_sde_gpu": "dpmpp_sde",
    "dpmpp_2m": "dpmpp_2m",
    "dpmpp_2m_sde": "dpmpp_2m_sde",
    "dpmpp_2m_sde_gpu": "dpmpp_2m_sde",
    "dpmpp_2m_sde_heun": "dpmpp_2m_sde_heun",
    "dpmpp_2m_sde_heun_gpu": "dpmpp_2m_sde_heun",
    "dpmpp_3m_sde": "dpmpp_3m_sde",
    "dpmpp_3m_sde_gpu": "dpmpp_3m_sde",
    "ddpm": "ddpm",
    "lcm": "lcm",
    "deis": "deis",
    "ddim": "ddim",
    "uni_pc": "unipc",
    "uni_pc_bh2": "unipc_bh2",
}
INVOKEAI = {
    "kdpm_2": "dpm_2",
    "kdpm_2_a": "dpm_2_ancestral",
    "euler_a": "euler_ancestral",
    "pndm": "plms",
    "unipc": "unipc",
}
DIFFUSERS = {
    "DDIMScheduler": "ddim",
    "DDPMScheduler": "ddpm",
    "DEISMultistepScheduler": "deis",
    "DPMSolverMultistepScheduler": "dpmpp_2m",
    "DPMSolverSDEScheduler": "dpmpp_sde",
    "EulerAncestralDiscreteScheduler": "euler_ancestral",
    "EulerDiscreteScheduler": "euler",
    "HeunDiscreteScheduler": "heun",
    "KDPM2AncestralDiscreteScheduler": "dpm_2_ancestral",
    "KDPM2DiscreteScheduler": "dpm_2",
    "LCMScheduler": "lcm",
    "LMSDiscreteScheduler": "lms",
    "PNDMScheduler": "plms",
    "UniPCMultistepScheduler": "unipc_bh2",
}


@pytest.mark.parametrize("names", [A1111, COMFYUI, INVOKEAI, DIFFUSERS])
def test_other_programs_names(names: dict[str, str]) -> None:
    for written, sampler in names.items():
        assert sampler_named(written) == (sampler, None), written


@pytest.mark.parametrize("label", [label for label in A1111 if not label.startswith("k_")])
@pytest.mark.parametrize(
    ("ending", "schedule"),
    [
        ("Karras", "karras"),
        ("Exponential", "exponential"),
        ("SGM Uniform", "sgm_uniform"),
        ("Align Your Steps", "align_your_steps"),
    ],
)
def test_joint_names_are_split(label: str, ending: str, schedule: str) -> None:
    assert sampler_named(f"{label} {ending}") == (A1111[label], schedule)


@pytest.mark.parametrize("name", ["euler", "dpmpp_2m_sde", "heun", "lms", "deis", "unipc"])
def test_invokeai_marks_karras_with_a_k(name: str) -> None:
    assert sampler_named(f"{name}_k") == (name, "karras")


@pytest.mark.parametrize("written", ["Automatic", "automatic", " AUTOMATIC"])
def test_automatic_says_no_schedule(written: str) -> None:
    assert schedule_named(written) is None


def test_evaluations_of_a_run() -> None:
    assert evaluations("euler", "karras", 20) == 20
    assert evaluations("heun", "karras", 20) == 39
    assert evaluations("heun", "ldm", 20) == 40
    assert evaluations("plms", "ldm", 20) == 21
    assert evaluations("heun", "karras", 0) == evaluations("plms", "ldm", 0) == 0


@pytest.mark.parametrize(
    ("written", "schedule"),
    [
        ("Exponential", "exponential"),
        ("Polyexponential", "exponential"),
        ("SGM Uniform", "sgm_uniform"),
        ("SGMUniform", "sgm_uniform"),
        ("sgm_uniform", "sgm_uniform"),
        ("KL Optimal", "kl_optimal"),
        ("Align Your Steps", "align_your_steps"),
        ("AYS", "align_your_steps"),
        ("Simple", "simple"),
        ("Normal", "normal"),
        ("linspace", "normal"),
        ("DDIM", "ddim_uniform"),
        ("ddim_uniform", "ddim_uniform"),
        ("leading", "ddim_uniform"),
        ("Beta", "beta"),
        ("beta-sigma", "beta_sigma"),
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
        ("dpmpp_2s", "dpmpp_2s_ancestral"),
        ("DPM++ 2M SDR Karras", "dpmpp_2m_sde"),
        ("heunn", "heun"),
        ("uni-pcc", "unipc"),
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
    for sampler in SAMPLERS:
        for schedule in SCHEDULES:
            assert sampler_named(f"{sampler}_{schedule}") == (sampler, schedule)


def test_the_tables_agree() -> None:
    for sampler in SAMPLERS.values():
        assert sampler.schedule is None or sampler.schedule in SCHEDULES
        for schedule in sampler.schedules or ():
            assert schedule in SCHEDULES
        if sampler.schedules is not None:
            assert sampler.schedule in sampler.schedules


class TestThePage:
    """docs/samplers.md says what is true."""

    def rows(self, header: str) -> dict[str, list[str]]:
        """The cells after the first of each row of a table, by the name in the first."""
        page = (Path(__file__).parents[2] / "docs" / "samplers.md").read_text("utf-8")
        table = page.split(f"| {header} |")[1].split("\n\n")[0].splitlines()[2:]
        cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
        return {first.strip("`"): rest for first, *rest in cells}

    def test_it_tells_of_every_sampler(self) -> None:
        rows = self.rows("sampler")
        assert list(rows) == list(SAMPLERS)
        for name, (evaluations_a_step, noise, _) in rows.items():
            assert int(evaluations_a_step) == SAMPLERS[name].evaluations
            said = {"none": "none", "with eta": "fresh", "one path": "path"}.get(noise, "fresh")
            assert said == SAMPLERS[name].noise
            assert (noise == "with churn") == SAMPLERS[name].churn

    def test_it_tells_of_every_schedule(self) -> None:
        assert list(self.rows("schedule")) == list(SCHEDULES)

    def test_the_names_of_other_programs_are_understood(self) -> None:
        rows = self.rows("here")
        assert list(rows) == list(SAMPLERS)
        for name, cells in rows.items():
            assert len(cells) == 4
            for cell in filter(None, cells):
                assert sampler_named(cell.strip("`")) == (name, None)
