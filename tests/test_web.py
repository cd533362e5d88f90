"""The page's files: small, whole, and fetched all at once."""

import re
from pathlib import Path

import darkroom

WEB = Path(darkroom.__file__).parent / "web"
INDEX = (WEB / "index.html").read_text(encoding="utf-8")
_IMPORT = re.compile(r'(?:^|;)\s*(?:import|export)\b[^;"]*?\bfrom\s*"([^"]+)"', re.MULTILINE)
_LATER = re.compile(r'\bimport\("([^"]+)"\)')


def _modules() -> list[Path]:
    return sorted((WEB / "js").rglob("*.js"))


def _imports(module: Path, pattern: re.Pattern[str] = _IMPORT) -> list[Path]:
    names = pattern.findall(module.read_text(encoding="utf-8"))
    assert all(name.startswith(".") for name in names), (module, names)
    return [(module.parent / name).resolve() for name in names]


def _needed(*starts: str) -> set[Path]:
    found: set[Path] = set()
    todo = [(WEB / start).resolve() for start in starts]
    while todo:
        module = todo.pop()
        if module not in found:
            found.add(module)
            todo += _imports(module)
    return found


def test_files_are_short() -> None:
    for file in [*_modules(), *(WEB / "css").glob("*.css")]:
        assert len(file.read_text(encoding="utf-8").splitlines()) <= 400, file


def test_modules_import_what_is_there() -> None:
    for module in _modules():
        for other in _imports(module) + _imports(module, _LATER):
            assert other.is_file(), (module, other)


def test_the_first_page_is_fetched_at_once() -> None:
    linked = re.findall(r'<link rel="modulepreload" href="([^"]+)">', INDEX)
    assert len(linked) == len(set(linked))
    needed = _needed("js/main.js", "js/pages/create.js") - {(WEB / "js/main.js").resolve()}
    assert {(WEB / name).resolve() for name in linked} == needed


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", INDEX)
    for file in [*_modules(), WEB / "index.html", *(WEB / "css").glob("*.css")]:
        text = file.read_text(encoding="utf-8")
        text = text.replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://(?!127\.0\.0\.1|localhost)\w", text), file


def test_every_style_is_used_and_every_library_has_its_licence() -> None:
    linked = set(re.findall(r'href="css/(\w+)\.css"', INDEX))
    later = re.search(r"const LATER = \[([^\]]*)\]", (WEB / "js/pages.js").read_text("utf-8"))
    assert later is not None
    linked |= set(re.findall(r'"(\w+)"', later[1]))
    assert {file.stem for file in (WEB / "css").glob("*.css")} == linked
    licences = {file.stem for file in (WEB / "vendor").glob("*.LICENSE")}
    assert licences == {"preact", "htm", "signals"}
