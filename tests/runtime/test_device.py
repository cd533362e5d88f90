import json
from pathlib import Path

import pytest
import torch

from darkroom.errors import RequestError
from darkroom.runtime import device


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DARKROOM_CACHE_FOLDER", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_measures_the_cpu(cache: Path) -> None:
    machine = device.measure("cpu")
    assert machine.device == "cpu"
    assert machine.name
    assert 1 <= machine.cores == torch.get_num_threads()
    assert 2**28 < machine.memory_free <= machine.memory_total
    assert set(machine.speed) == set(device.precisions("cpu"))
    assert all(1e8 < speed < 1e15 for speed in machine.speed.values())
    assert (cache / "speed.json").exists()


def test_the_cpu_is_always_there_and_last() -> None:
    assert device.available()[-1] == "cpu"
    assert device.measure().device == device.available()[0]


def test_remembers_speed_but_not_memory(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = device.measure("cpu")
    monkeypatch.setattr(device, "_matrix_product", lambda *_: pytest.fail("measured again"))
    monkeypatch.setattr(device, "_memory", lambda _: (7, 5))
    again = device.measure("cpu")
    assert again.speed == first.speed
    assert (again.memory_total, again.memory_free) == (7, 5)
    known = json.loads((cache / "speed.json").read_text())
    assert list(known.values()) == [dict(first.speed)]


@pytest.mark.parametrize("damage", ["", "{", "[]", "\x00"])
def test_a_damaged_memory_is_measured_anew(cache: Path, damage: str) -> None:
    cache.mkdir()
    (cache / "speed.json").write_text(damage)
    assert device.measure("cpu").speed
    assert isinstance(json.loads((cache / "speed.json").read_text()), dict)


def test_a_cache_that_cannot_be_written_is_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("DARKROOM_CACHE_FOLDER", str(tmp_path / "file" / "cache"))
    assert device.measure("cpu").speed


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "", "cpu:x"])
def test_a_device_that_is_not_there(name: str) -> None:
    with pytest.raises(RequestError, match="There is no device") as caught:
        device.measure(name)
    assert "cpu" in caught.value.hint


def test_half_precision_only_where_the_cpu_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, expected in (
        ({"avx512_bf16": True}, ("fp32", "bf16")),
        ({"amx_bf16": True}, ("fp32", "bf16")),
        ({"avx512_bf16": False, "avx512_f": True}, ("fp32",)),
        ({}, ("fp32",)),
    ):
        monkeypatch.setattr(device, "_cpu_flags", lambda flags=flags: flags)
        assert device.precisions("cpu") == expected


@pytest.mark.parametrize("kind", ["cuda", "xpu"])
def test_what_torch_holds_back_for_itself_is_free(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = getattr(torch, kind)
    monkeypatch.setattr(module, "mem_get_info", lambda _: (1000, 8000))
    monkeypatch.setattr(module, "memory_reserved", lambda _: 5000)
    monkeypatch.setattr(module, "memory_allocated", lambda _: 2000)
    assert device._memory(f"{kind}:0") == (8000, 4000)


def test_a_container_limits_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    total, _ = device._main_memory()
    files = {
        "/proc/meminfo": f"MemTotal: {total // 1024} kB\nMemAvailable: {total // 2048} kB\n",
        "/sys/fs/cgroup/memory.max": "1000000\n",
        "/sys/fs/cgroup/memory.current": "700000\n",
        "/sys/fs/cgroup/memory.stat": "anon 500000\ninactive_file 100000\n",
    }
    monkeypatch.setattr(Path, "read_text", lambda self, **_: files[str(self)])
    assert device._main_memory() == (1_000_000, 400_000)
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    assert device._main_memory() == (total, total // 2048 * 1024)
