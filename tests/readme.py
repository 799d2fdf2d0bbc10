"""What README, docs and manual page show of the program, made from the program.

    python -m tests.readme             the tables of keys and events, the manual page, the completion scripts
    python -m tests.readme pictures    these, and the pictures; npx makes the moving one

Tests fail if the former are out of date; the pictures take minutes.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
import tempfile
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import typer.main
from typer._completion_shared import get_completion_script
from typer.core import TyperArgument, TyperGroup

from engine.protocol.codec import kinds_of
from engine.protocol.events import Event
from tui.cli.app import EXAMPLES, app
from tui.settings.key_table import KEY_TABLE, MAIN_KEYS, keys_of
from tui.settings.keys import Key

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PICTURES = ROOT / "assets" / "pictures"
TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}


def key_table() -> str:
    """Return the table of keys, in Markdown."""
    return "\n".join(["| key | does | in `[keys]` |", "|---|---|---|", *_key_rows()]) + "\n"


def _key_rows() -> Iterator[str]:
    for heading, keys in {**KEY_TABLE, "In the lesson": keys_of("lesson")}.items():
        yield f"| | **{heading}** | |"
        yield from map(_key_row, keys)


def _key_row(key: Key) -> str:
    names = " ".join(name if name in {"or", "to"} else f"`{name}`" for name in key.shown.replace("^", "ctrl+").split())
    if not key.keys and not key.symbols:
        names = f"`ctrl+p` {key.title}"
    name = f"`{key.name}`" if key in MAIN_KEYS else ""
    return f"| {names} | {key.sentence.replace('|', chr(92) + '|')} | {name} |"


def event_table() -> str:
    """Return the table of events with the fields that not all of them have, in Markdown."""
    return "\n".join(["| event | fields | meaning |", "|---|---|---|", *map(_event_row, kinds_of(Event))]) + "\n"


def _event_row(event_type: type[Event]) -> str:
    names = " ".join(f"`{name}`" for name in event_type.__struct_fields__ if name not in {"step", "elapsed_seconds"})
    [sentence, *_] = (event_type.__doc__ or "").splitlines()
    return f"| `{event_type.__name__}` | {names} | {sentence} |"


TABLES = {"keys.md": ("keys", key_table), "commands.md": ("events", event_table)}
"""Which file of the docs has which table."""


def tables() -> dict[Path, str]:
    """Return each file of the docs that has a table, with the table as it should be."""
    files = {}
    for file_name, (name, make_table) in TABLES.items():
        begins, ends = f"<!-- the table of {name} -->\n", f"<!-- the table of {name} ends -->\n"
        before, _, rest = (DOCS / file_name).read_text(encoding="utf-8").partition(begins)
        files[DOCS / file_name] = before + begins + make_table() + ends + rest.partition(ends)[2]
    return files


# The manual page and the completion scripts ---------------------------------------------------------------------------

SHARE = ROOT / "assets" / "share"
PROGRAM = "tweetgen-tui"
MANUAL_PAGE = f"man/man1/{PROGRAM}.1"
COMPLETION_SCRIPTS = {
    "bash": f"bash-completion/completions/{PROGRAM}",
    "zsh": f"zsh/site-functions/_{PROGRAM}",
    "fish": f"fish/vendor_completions.d/{PROGRAM}.fish",
}
"""Where bash-completion, zsh and fish look for the script of a program."""
_ESCAPES = {"\\": r"\(rs", "-": r"\-", "'": r"\(aq", '"': r"\(dq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti"}
"""Characters that groff prints as others: a hyphen-minus as a hyphen, an apostrophe as a closing quote."""


def shared_files() -> dict[Path, str]:
    """Return the text of each file of `assets/share/`."""
    scripts = {
        SHARE / path: get_completion_script(prog_name=PROGRAM, complete_var="_TWEETGEN_TUI_COMPLETE", shell=shell)
        + "\n"
        for shell, path in COMPLETION_SCRIPTS.items()
    }
    return {SHARE / MANUAL_PAGE: manual_page(), **scripts}


def manual_page() -> str:
    """Return the source of tweetgen-tui(1)."""
    root: Any = typer.main.get_command(app)
    context = root.context_class(root, info_name=PROGRAM)
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    options = dict(map(_entry, root.get_params(context)))
    panels: dict[str, list[str]] = {}
    for each in root.get_params(context):
        panels.setdefault(each.rich_help_panel or "Options", []).append(_tagged(*_entry(each)))
    text = Path(__file__).with_name("manual_page.1").read_text(encoding="utf-8")
    for name, lines in {
        "VERSION": [version],
        "OPTIONS": [f'.SS "{panel}"\n' + "\n".join(entries) for panel, entries in panels.items()],
        "COMMANDS": [line for each in _commands(root, context) for line in _command(*each, options)],
        "EXAMPLES": [_examples(root)],
    }.items():
        text = text.replace(f"@{name}@", "\n".join(lines))
    return text


def _commands(group: Any, context: Any) -> Iterator[tuple[Any, Any]]:  # typer's classes have no public name
    """Yield every command below a group that is no group, with its context."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        below = command.context_class(command, info_name=name, parent=context)
        yield from _commands(command, below) if isinstance(command, TyperGroup) else [(command, below)]


def _command(command: Any, context: Any, shared: dict[str, str]) -> Iterator[str]:
    """Yield one command: its usage, what it does, its own options, the names of those in `shared`, its examples."""
    usage = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
    yield f'.SS "{_escaped(f"{context.command_path} {usage}".removeprefix(f"{PROGRAM} "))}"'
    paragraphs = [each for each in command.help.split("\n\n") if not each.startswith(EXAMPLES)]
    yield "\n.PP\n".join(map(_filled, paragraphs))
    shown = [each for each in command.get_params(context) if not getattr(each, "hidden", False)]
    entries = [entry for entry in map(_entry, shown) if not entry[0].startswith(r"\fB\-\-help")]
    yield from (_tagged(*entry) for entry in entries if entry not in shared.items())
    if as_above := [_escaped_option(entry[0]) for entry in entries if entry in shared.items()]:
        yield ".PP\n" + _wrapped(f"As under OPTIONS: {', '.join(as_above)}.")
    if EXAMPLES in command.help:
        yield ".PP\n" + _examples(command)


def _escaped_option(label: str) -> str:
    """Return the first option of a label, such as that of --data FILE."""
    return label.partition(r"\fR")[0] + r"\fR"


def _entry(parameter: Any) -> tuple[str, str]:
    """Return an argument or option as it is typed, in roff, and its help with its default."""
    argument = isinstance(parameter, TyperArgument)
    names = [] if argument else [*sorted(parameter.opts, key=len), *parameter.secondary_opts]
    value = "" if not argument and parameter.is_flag else (parameter.metavar or "").replace("\n", "")
    label = ", ".join(rf"\fB{_escaped(name)}\fR" for name in names)
    if value:
        label += rf"\fI{' ' if names else ''}{_escaped(value)}\fR".replace("|", r"|\:")
    default = parameter.show_default if isinstance(parameter.show_default, str) else parameter.default
    has_default = isinstance(default, int | float | str) and not isinstance(default, bool)
    return label, f"{parameter.help} [default: {default}]" if has_default else parameter.help


def _tagged(label: str, text: str) -> str:
    """Return an entry of a list."""
    return f".TP\n{label}\n{_filled(text)}"


def _examples(command: Any) -> str:
    """Return the examples in the help of a command, as lines."""
    lines = textwrap.dedent(inspect.cleandoc(command.help).partition(EXAMPLES)[2]).splitlines()
    return "\n".join([".EX", *map(_escaped, lines), ".EE"])


def _filled(text: str) -> str:
    """Return one paragraph."""
    return _wrapped(_escaped(" ".join(text.split())))


def _wrapped(source: str) -> str:
    """Return source in lines, none of which is a request, although it may begin with a full stop."""
    lines: Iterable[str] = textwrap.wrap(source, 110, break_long_words=False, break_on_hyphens=False)
    return "\n".join(re.sub(r"^\.", r"\\&.", line) for line in lines)


def _escaped(text: str) -> str:
    """Return text that roff prints character by character."""
    return "".join(_ESCAPES.get(char) or (char if char < "\x7f" else rf"\[u{ord(char):04X}]") for char in text)


def main() -> None:
    """Write the tables and the files of `assets/share/`, and the pictures if they are asked for."""
    for path, text in (tables() | shared_files()).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if sys.argv[1:] == ["pictures"]:
        from tests.recording import take_pictures, take_recording

        with tempfile.TemporaryDirectory() as home, mock.patch.dict("os.environ", TERMINAL | {"TWEETGEN_HOME": home}):
            take_recording(PICTURES, Path(home) / "recorded")
            asyncio.run(take_pictures(PICTURES))


if __name__ == "__main__":
    main()
