"""What a reference command says whose model is not Stable Diffusion."""

import sys


def refuse(command: str, purpose: str) -> int:
    """One sentence on stderr; returns the exit code."""
    print(f"{command} serves {purpose}, which Darkroom does not have.", file=sys.stderr)
    return 2
