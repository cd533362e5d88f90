"""The small pages before the door: how to get in, and where the password is asked for.

They stand alone: no script, and nothing that needs a key.  Their style stands in them, and their
policy names it by its checksum, so that nothing else would be taken for one.
"""

import base64
import hashlib
from collections.abc import Mapping
from html import escape

from starlette.responses import HTMLResponse

_STYLE = """
:root { color-scheme: dark light; --ground: #141211; --raised: #26221f; --line: #35302c;
  --text: #f3ede6; --muted: #a79d93; --accent: #ff6a3d; --ink: #1b0d06; }
@media (prefers-color-scheme: light) { :root { --ground: #f6f2ed; --raised: #fff;
  --line: #d9d0c7; --text: #221d19; --muted: #635a52; --accent: #b53a12; --ink: #fff; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 26rem; padding: 24px; }
h1 { font-size: 1.4rem; margin: 0 0 12px; }
p { margin: 0 0 12px; color: var(--muted); }
a { color: var(--text); }
code { color: var(--text); }
label { display: block; color: var(--text); }
input, button { box-sizing: border-box; width: 100%; padding: 12px; border-radius: 10px;
  font: inherit; border: 1px solid var(--line); background: var(--raised); color: var(--text); }
button { background: var(--accent); border-color: var(--accent); color: var(--ink);
  font-weight: 600; }
[role="alert"] { color: var(--text); border-left: 3px solid var(--accent); padding-left: 12px; }
"""
_CHECKSUM = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_CHECKSUM}'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · Darkroom</title>
<style>{style}</style>
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
    content = "\n".join(paragraphs)
    return _PAGE.format(title=escape(title), content=content, style=_STYLE)


def answer(page: str, status: int = 200, headers: Mapping[str, str] | None = None) -> HTMLResponse:
    """One of these pages, with its policy."""
    return HTMLResponse(page, status, {"content-security-policy": _POLICY, **(headers or {})})


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


def sign_in(
    remark: str = "", status: int = 200, headers: Mapping[str, str] | None = None
) -> HTMLResponse:
    """The form that asks for the password, with a remark about the last try.

    A page that tells no addresses has its forms sent by nobody (`Origin: null`), which the guard
    refuses: this one tells its own server.
    """
    said = f'<p role="alert">{escape(remark)}</p>' if remark else ""
    own = {"referrer-policy": "same-origin", **(headers or {})}
    return answer(_page("Sign in", said, _FORM), status, own)


def no_password() -> str:
    """What stands there where no password was set."""
    return _page(
        "No password here",
        "<p>This server lets in whoever opens the address that it printed when it started.</p>",
    )
