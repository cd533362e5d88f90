"""The server plans with what the workers measured."""

from dataclasses import replace

from darkroom.contracts import Machine
from darkroom.store.opening import Store, join_store

MACHINE = Machine(
    device="cpu",
    name="a CPU",
    cores=2,
    memory_total=8 * 2**30,
    memory_free=6 * 2**30,
    speed={"fp32": 1.5e11, "bf16": 3e11},
)


def test_the_server_reads_what_a_worker_measured(store: Store) -> None:
    worker = join_store(store.folder.root)
    worker.machines.put(MACHINE)
    gpu = replace(MACHINE, device="cuda:0", name="a GPU", memory_total=2**40)
    worker.machines.put(gpu)
    assert store.machines.all() == (MACHINE, gpu)
    later = replace(MACHINE, memory_free=5, speed={})
    worker.machines.put(later)
    assert store.machines.all() == (later, gpu)
    worker.close()
