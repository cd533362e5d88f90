"""Times as the database keeps them: ISO 8601 in UTC, all of one length, so that text sorts them."""

from datetime import UTC, datetime, timedelta

from darkroom.errors import RequestError


def now() -> str:
    """The present moment."""
    return text(datetime.now(UTC))


def text(moment: datetime) -> str:
    """A moment as it is kept: `2026-11-20T20:15:30.123Z`."""
    utc = moment.astimezone(UTC).replace(tzinfo=None)
    return f"{utc.isoformat(timespec='milliseconds')}Z"


def limit(said: str, name: str, *, until: bool = False) -> str:
    """A date or time that a user said, as it is kept; without a zone it is UTC.

    `until`: a date alone means the end of that day.  RequestError where it is neither.
    """
    try:
        moment = datetime.fromisoformat(said)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if until and len(said) <= len("2026-11-20"):
            moment += timedelta(days=1)
        return text(moment)
    except (ValueError, OverflowError) as error:
        raise RequestError(
            f"{name}: expected a date such as 2026-11-20, got {said[:40]!a}."
        ) from error
