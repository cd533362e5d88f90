"""`python -m darkroom` is the command `darkroom`."""

import sys


def main() -> None:
    """Entry point of the command `darkroom`: Ctrl-C is heeded from the first import on."""
    try:
        from darkroom.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
