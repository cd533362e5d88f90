"""Whether a value can be meant, and the nearest that can where it cannot."""

import math
from numbers import Integral, Real
from typing import TypeVar

from darkroom import names
from darkroom.errors import RequestError

T = TypeVar("T")


def first(*values: T | None) -> T:
    """The first value that was said; 0 is a value."""
    return next(value for value in values if value is not None)


def choice(kind: str, value: str | None, choices: tuple[str, ...]) -> None:
    """RequestError where `value` is neither one of `choices` nor None; it tells the nearest."""
    if value is not None and value not in choices:
        raise names.unknown(kind, value, {name: name for name in choices})


def whole(name: str, value: object, low: int, high: int, usual: str = "") -> int:
    """`value` as an int if it is a whole number, of numpy's too, from low to high."""
    hint = _range(str(low), str(high), usual)
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise RequestError(f"{name} must be a whole number.", hint)
    value = int(value)
    if not low <= value <= high:
        # Python refuses to write the longest numbers out.
        shown = str(value) if value.bit_length() <= 128 else f"of {value.bit_length()} bits"
        raise _out_of_range(name, shown, str(low if value < low else high), hint)
    return value


def real(name: str, value: object, low: float, high: float, usual: str = "") -> float:
    """`value` as a float if it is a number, of numpy's too, from low to high."""
    hint = _range(f"{low:g}", f"{high:g}", usual)
    if isinstance(value, bool) or not isinstance(value, Real):
        raise RequestError(f"{name} must be a number.", hint)
    try:
        number = float(value)
    except OverflowError:  # an integer beyond every float
        number = -math.inf if value < 0 else math.inf
    if math.isnan(number):
        raise RequestError(f"{name} is not a number (NaN).", hint)
    if not low <= number <= high:
        shown = f"{number:g}" if abs(number) < 1e300 else "of such a size"
        raise _out_of_range(name, shown, f"{low if number < low else high:g}", hint)
    return number


def _out_of_range(name: str, shown: str, nearest: str, hint: str) -> RequestError:
    return RequestError(
        f"{name} {shown} is out of range; the nearest that works is {nearest}.", hint
    )


def _range(low: str, high: str, usual: str) -> str:
    return f"Choose from {low} to {high}; {usual}." if usual else f"Choose from {low} to {high}."
