"""The small pages before the door: how to get in, and where the password is asked for.

They stand alone: no script, no style of their own, nothing that needs a key.
"""

from html import escape

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="dark light">
<title>{title} · Darkroom</title>
</head>
<body>
<main>
<h1>{title}</h1>
{content}
</main>
</body>
</html>
"""
_FORM = """<form method="post" action="/sign-in">
<p><label for="password">Password</label></p>
<p><input id="password" name="password" type="password" autocomplete="current-password"
 required autofocus></p>
<p><button type="submit">Sign in</button></p>
</form>"""


def _page(title: str, *paragraphs: str) -> str:
    return _PAGE.format(title=escape(title), content="\n".join(paragraphs))


def locked() -> str:
    """What somebody sees who has no key."""
    return _page(
        "Darkroom is locked",
        "<p>Open the address that <code>darkroom serve</code> printed where it was started: it "
        "ends with a token that lets this browser in, once.</p>",
        '<p>You have just done that? <a href="/">Go in.</a></p>',
        '<p>This server asks for a password? <a href="/sign-in">Sign in.</a></p>',
    )


def spent() -> str:
    """What somebody sees whose address was used before, or is none."""
    return _page(
        "This address has been used",
        "<p>The address with a token lets one browser in, once.</p>",
        '<p>This browser was it? <a href="/">Go in.</a></p>',
        "<p>Else start <code>darkroom serve</code> again: it prints a new one.</p>",
    )


def sign_in(remark: str = "") -> str:
    """The form that asks for the password, with a remark about the last try."""
    said = f'<p role="alert">{escape(remark)}</p>' if remark else ""
    return _page("Sign in", said, _FORM)


def no_password() -> str:
    """What stands there where no password was set."""
    return _page(
        "No password here",
        "<p>This server lets in whoever opens the address that it printed when it started.</p>",
    )
