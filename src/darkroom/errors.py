"""The one family of errors that a user may see."""


class DarkroomError(Exception):
    """Something a user can understand and act on.

    `message` says what is wrong in the user's words, `hint` what to do about it.  Each surface
    renders it once: the command line as two lines and `exit_code`, the API as one JSON shape.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint:
            self.add_note(hint)  # for those who see it as a Python exception


class RequestError(DarkroomError):
    """A wish that cannot be meant: an impossible size, a misspelt sampler, a seed out of range."""

    exit_code = 2


class ImageError(DarkroomError):
    """An input image that is none, or that is too large to be opened."""

    exit_code = 2


class ModelError(DarkroomError):
    """A model file that is missing, not a model, damaged, dangerous, or of another family."""

    exit_code = 2


class OutputError(DarkroomError):
    """The result cannot be written: no permission, no space, or a file is in the way."""


class DownloadError(DarkroomError):
    """A file cannot be had from its host: no way there, no such file, no login, or a lie."""
