"""What the store refuses, by kind: a surface answers each in its own way."""

from darkroom.errors import DarkroomError, OutputError


class UnknownError(DarkroomError):
    """No job, image or input has this name (any more)."""

    exit_code = 2


class QueueFullError(DarkroomError):
    """So many jobs wait that no further one is accepted."""


class KeyConflictError(DarkroomError):
    """An idempotency key was used before, for another wish."""

    exit_code = 2


class StateError(DarkroomError):
    """What was asked for cannot be done to a job in its state."""

    exit_code = 2


class FolderInUseError(DarkroomError):
    """Another server works on this data folder."""


class StoreError(DarkroomError):
    """The database cannot be used: damaged, of a newer program, or held by somebody else."""


class DiskFullError(OutputError):
    """There is no room left on the disk.  What was accepted before is safe."""
