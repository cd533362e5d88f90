"""The machines that workers measured, so that a server without torch can plan."""

import json

from darkroom.contracts import Machine
from darkroom.store.database import Database


class Machines:
    """One row for each device."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, machine: Machine) -> None:
        """What a worker measured, in place of what it measured before."""
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO machines VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (device) DO UPDATE SET"
                " name = excluded.name, cores = excluded.cores,"
                " memory_total = excluded.memory_total, memory_free = excluded.memory_free,"
                " speed = excluded.speed",
                [
                    *(machine.device, machine.name, machine.cores),
                    *(machine.memory_total, machine.memory_free),
                    json.dumps(dict(machine.speed)),
                ],
            )

    def all(self) -> tuple[Machine, ...]:
        """Those that were measured, the first device's first."""
        with self._database.read() as connection:
            rows = connection.execute("SELECT * FROM machines ORDER BY rowid").fetchall()
        return tuple(
            Machine(
                **{**dict(zip(row.keys(), row, strict=True)), "speed": json.loads(row["speed"])}
            )
            for row in rows
        )
