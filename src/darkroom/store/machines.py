"""The machines that workers measured, so that a server without torch can plan."""

from darkroom.contracts import Machine
from darkroom.store.database import Database


class Machines:
    """One row for each device."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, machine: Machine) -> None:
        """What a worker measured, in place of what it measured before."""
        raise NotImplementedError

    def all(self) -> tuple[Machine, ...]:
        """Those that were measured last, the first worker's first."""
        raise NotImplementedError
