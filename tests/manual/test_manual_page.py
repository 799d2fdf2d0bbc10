"""The manual page is up to date, complete, and accepted by mandoc and groff; texts come out of both as they went in."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from engine.storage.folders import cache_folder, home
from tests.installed import require
from tests.manual import prose, roff
from tests.manual.share import MANUAL_PAGE, SHARE, shared_files
from tui.cli.app import app
from tui.settings.preferences import preferences_path

PAGE = SHARE / MANUAL_PAGE
RENDERERS = {"mandoc": ("mandoc", "-T", "utf8"), "groff": ("groff", "-man", "-k", "-P", "-c", "-T", "utf8")}
SECTIONS = (
    *("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS"),
    *("EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"),
)
HOSTILE = (
    ".TH not a request",
    "'br not a request either",
    r"\fBno font\fR \(em \n[x] \\",
    "--dry-run 'single' \"double\" `grave` ^ ~ - --",
    "…é 🙂",
)


def rendered(source: str, command: tuple[str, ...]) -> str:
    """Return a page as it is shown, without overstriking."""
    require(command[0])
    ended = subprocess.run(command, input=source, capture_output=True, encoding="utf-8", check=True)
    return re.sub(".\b", "", ended.stdout)


@pytest.mark.parametrize("name", shared_files())
def test_the_manual_page_and_the_completion_scripts_are_up_to_date(name: str) -> None:
    assert (SHARE / name).read_text(encoding="utf-8") == shared_files()[name], "run: python -m tests.readme"


def test_nothing_else_is_installed_below_share() -> None:
    files = {str(path.relative_to(SHARE)) for path in SHARE.rglob("*") if path.is_file()}
    assert files == shared_files().keys()


@pytest.mark.parametrize("command", [("mandoc", "-T", "lint", "-W", "warning"), ("groff", "-man", "-ww", "-T", "utf8")])
def test_mandoc_and_groff_accept_the_page_without_a_warning(command: tuple[str, ...]) -> None:
    require(command[0])
    ended = subprocess.run([*command, PAGE], capture_output=True, encoding="utf-8", check=False)
    warnings = ended.stdout if command[0] == "mandoc" else ended.stderr
    assert (ended.returncode, warnings) == (0, "")


def test_man_finds_the_page_and_its_name_line() -> None:
    require("man", "lexgrog")
    found = subprocess.run(
        ["man", "-M", SHARE / "man", "-w", "tweetgen-tui"], capture_output=True, text=True, check=True
    )
    assert Path(found.stdout.strip()) == PAGE
    name = subprocess.run(["lexgrog", PAGE], capture_output=True, text=True, check=True).stdout
    assert '"tweetgen-tui - watch and steer a character-level GRU' in name


def _leaves(command: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the words and the command of each command below a group that is no group itself."""
    for name, below in command.commands.items():
        words = f"{path} {name}".strip()
        yield from _leaves(below, words) if hasattr(below, "commands") else [(words, below)]


@pytest.mark.parametrize("renderer", RENDERERS)
def test_the_page_has_every_option_of_every_command_in_its_part_as_it_is_typed(renderer: str) -> None:
    sections = re.split(
        r"^(?=[A-Z])", rendered(PAGE.read_text(encoding="utf-8"), RENDERERS[renderer]), flags=re.MULTILINE
    )
    by_title = {text.partition("\n")[0]: text for text in sections}
    assert tuple(title for title in by_title if title.isupper() and "(" not in title) == SECTIONS
    parts = re.split(r"^   (?=\S)", by_title["COMMANDS"], flags=re.MULTILINE)
    root: Any = typer.main.get_command(app)
    assert {name for each in root.params for name in (*each.opts, *each.secondary_opts)} <= _options_in(
        by_title["OPTIONS"]
    )
    for words, command in _leaves(root):
        [part] = [part for part in parts if part.startswith(f"{words} [")]
        shown = [each for each in command.params if not getattr(each, "hidden", False)]
        options = {name for each in shown for name in each.opts if name.startswith("-")}
        assert options - {"--help-all"} <= _options_in(part), words


def _options_in(text: str) -> set[str]:
    """Return the options that a text names."""
    return set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", text))


@pytest.mark.parametrize("renderer", RENDERERS)
@pytest.mark.parametrize("line", HOSTILE)
def test_text_is_shown_as_it_is_and_never_as_a_request_or_escape(renderer: str, line: str) -> None:
    head = '.TH X 1 2026-01-01 "" ""\n.SH NAME\nx'
    for source in (
        roff.literal(line),
        roff.paragraph(line.replace("`", "")),
        roff.tagged(roff.italic("x"), line.replace("`", "")),
    ):
        text = rendered(f"{head}\n.SH DESCRIPTION\n{source}\n", RENDERERS[renderer])
        expected = line if source.startswith(".EX") else line.replace("`", "")
        assert expected in text


@pytest.mark.skipif(sys.platform != "linux", reason="the page lists Linux's folders")
def test_the_files_of_the_page_are_where_the_program_puts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TWEETGEN_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/u")
    listed = {Path(name.replace("~", "/home/u")) for name in prose.FILES}
    assert listed == {
        *(home() / "runs", home() / "checkpoints", home() / "data"),
        *(preferences_path(), cache_folder()),
    }


def test_the_exit_status_is_that_of_the_docs() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| (\d[\d, ]*) \|", docs.partition("## Exit codes")[2], re.MULTILINE)
    assert len(documented) > 5
    assert set(documented) <= prose.EXIT_STATUS.keys()
