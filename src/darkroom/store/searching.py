"""Search in prompts: by an index of words where SQLite has FTS5, by looking through them else."""

import sqlite3
import unicodedata

_LONGEST = 1000  # characters of a search that count
_MOST_WORDS = 32


def available(connection: sqlite3.Connection) -> bool:
    """Whether this SQLite has FTS5."""
    found = connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone()
    return found is not None


def ensure(connection: sqlite3.Connection, *, anew: bool = False) -> None:
    """Make the index where there can be one; fill it again where it is not sound, or `anew`.

    To be called in a transaction that writes.
    """
    if not available(connection):
        return
    connection.execute(
        "CREATE VIRTUAL TABLE IF NOT EXISTS prompts USING fts5(prompt, content='images',"
        " content_rowid='seq', tokenize='unicode61 remove_diacritics 2')"
    )
    try:
        if not anew:
            # With 1 it is compared with the images as well.
            connection.execute("INSERT INTO prompts (prompts, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError:
        anew = True
    if anew:
        connection.execute("INSERT INTO prompts (prompts) VALUES ('rebuild')")


def indexed(connection: sqlite3.Connection) -> bool:
    """Whether there is an index that this SQLite can use."""
    return available(connection) and (
        connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'prompts'").fetchone()
        is not None
    )


def add(connection: sqlite3.Connection, seq: int, prompt: str) -> None:
    """Put a new image's prompt into the index."""
    connection.execute("INSERT INTO prompts (rowid, prompt) VALUES (?, ?)", [seq, prompt])


def remove(connection: sqlite3.Connection, seq: int, prompt: str) -> None:
    """Take a prompt out of the index; `prompt` must be what was put in."""
    connection.execute(
        "INSERT INTO prompts (prompts, rowid, prompt) VALUES ('delete', ?, ?)", [seq, prompt]
    )


def condition(search: str, *, index: bool) -> tuple[str, list[object]]:
    """A condition on `images` for prompts that hold all words of any text, and its values.

    The index finds words by their beginnings.  What has no words for it, such as emoji, and
    scripts that write without spaces, are looked for letter by letter.
    """
    conditions: list[str] = []
    values: list[object] = []
    wanted = clean(search)[:_LONGEST].split()[:_MOST_WORDS]
    matched = [word for word in wanted if index and _spaced(word)]
    if matched:
        quoted = " ".join('"' + word.replace('"', '""') + '" *' for word in matched)
        conditions.append("seq IN (SELECT rowid FROM prompts WHERE prompts MATCH ?)")
        values.append(quoted)
    for word in wanted:
        if word not in matched:
            escaped = word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
            conditions.append("prompt LIKE ? ESCAPE '\\'")
            values.append(f"%{escaped}%")
    return " AND ".join(conditions), values


def clean(said: str) -> str:
    """Text that SQLite can hold: no NUL, no half of a surrogate pair."""
    return said.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def _spaced(word: str) -> bool:
    """Whether the index sees words in this: letters of a script that puts spaces between them."""
    kinds = {unicodedata.category(letter) for letter in word}
    return not kinds & {"Lo", "So", "Co", "Cn"} and any(kind[0] in "LN" for kind in kinds)
