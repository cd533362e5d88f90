"""Text from files that others wrote, on its way to a terminal."""


def printable(value: object) -> str:
    """`value` in one line and without power over the terminal: control characters are spelt out."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value))
