"""Help and usage errors."""

from __future__ import annotations

import gc
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from engine.config.fields import field_help
from engine.config.run import RunConfig, RuntimeConfig
from tests.cli.program import Cli
from tui.__main__ import main
from tui.cli.app import app
from tui.cli.commands.generate import LENGTH
from tui.cli.options import MACHINE, RUN, SAMPLING, TRUNCATION, TWEET_FILTER, TWEETS, OptionGroup, to_run_config

COMMANDS: dict[tuple[str, ...], tuple[OptionGroup, ...]] = {
    (): RUN,
    ("train",): RUN,
    ("generate",): (SAMPLING, LENGTH, TRUNCATION, TWEET_FILTER, MACHINE),
    ("evaluate",): (*TWEETS, MACHINE),
    ("xray",): (),
    ("bench",): (OptionGroup("Machine", RuntimeConfig, ("device",)),),
    ("doctor",): (),
    ("data",): (),
    ("data", "inspect"): TWEETS[1:],
    ("data", "fetch"): (),
    ("checkpoints",): (),
    ("checkpoints", "list"): (),
    ("checkpoints", "show"): (),
    ("checkpoints", "delete"): (),
    ("runs",): (),
    ("checkpoints", "rename"): (),
    ("checkpoints", "pin"): (),
    ("checkpoints", "unpin"): (),
    ("checkpoints", "export"): (),
    ("checkpoints", "import"): (),
    ("export",): (),
    ("export", "hub"): (),
    ("export", "onnx"): (),
    ("export", "html"): (),
    ("runs", "list"): (),
    ("runs", "replay"): (),
    ("runs", "export"): (),
    ("attach",): (),
    ("serve",): (),
    ("lesson",): (),
}
FOLDING = ((), ("train",), ("evaluate",))
"""Commands whose `--help` leaves out the rare options."""
MAX_LINES = 54


def _words(text: str) -> str:
    """Return text without frames and line breaks."""
    return re.sub(r"[\s│]+", " ", text)


def _options(command: tuple[str, ...]) -> set[str]:
    """Return the long options of a command, without hidden ones."""
    found: Any = typer.main.get_command(app)
    for name in command:
        found = found.commands[name]
    shown = [parameter for parameter in found.params if not getattr(parameter, "hidden", False)]
    return {option for parameter in shown for option in parameter.opts if option.startswith("--")}


def _all_commands(
    group: Any, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:  # typer's class has no public name
    """Yield the words of every command below a group, and of the group."""
    yield path
    for name, below in getattr(group, "commands", {}).items():
        yield from _all_commands(below, (*path, name))


OTHER_NAMES = {"files": "data", "ascii": "to-ascii"}
"""Options that are not called as their fields are."""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_describes_each_option_by_the_docstring_of_its_config_field(
    cli: Cli, command: tuple[str, ...]
) -> None:
    ended = cli(*command, "--help-all" if command in FOLDING else "--help")
    assert (ended.code, ended.err) == (0, "")
    text = ended.out
    assert " ".join(("Usage: tweetgen-tui", *command)) in text
    for group in COMMANDS[command]:
        for name in group.fields:
            assert "--" + OTHER_NAMES.get(name, name.replace("_", "-")) in text
            first_words = " ".join(field_help(group.config_type)[name].split()[:3])
            assert first_words in _words(text)


def test_all_commands_are_checked_here() -> None:
    assert set(_all_commands(typer.main.get_command(app))) == COMMANDS.keys()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_shows_words_and_no_internals_of_the_library(cli: Cli, command: tuple[str, ...]) -> None:
    text = cli(*command, "--help-all" if command in FOLDING else "--help").out
    assert not re.search(r"<(bool|int|float|str|\w+\|)|range>|\bNone\b|\\|\(\d[\d.]*\)", text), text
    assert all(option in text for option in _options(command))


def test_the_help_of_the_program_has_examples_first_then_commands_then_options_on_a_screen_and_a_half(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    lines = cli("--help").lines
    headings = [line for line in lines if re.fullmatch("[A-Z][a-z]+( [a-z]+)?", line)]
    assert headings == ["Examples", "Commands", "Tweets", "Training", "Sampling", "Run", "Help"]
    assert len(lines) <= MAX_LINES
    assert max(map(len, lines)) <= 80


def test_a_narrow_help_page_breaks_no_word_and_keeps_its_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = []
    for columns in ("40", "100"):
        monkeypatch.setenv("COLUMNS", columns)
        pages.append(cli("train", "--help").lines)
    narrow, wide = pages
    assert " ".join(narrow).split() == " ".join(wide).split()
    options = narrow[narrow.index("Options") :]
    assert [line for line in options if line and line not in wide and not line.startswith("  ")] == []


@pytest.mark.parametrize("command", FOLDING, ids=" ".join)
def test_rare_options_are_on_the_page_of_help_all_only(cli: Cli, command: tuple[str, ...]) -> None:
    assert "--lowercase" not in cli(*command, "--help").out
    assert "--lowercase" in cli(*command, "--help-all").out


def test_the_short_help_names_the_option_for_several_gpus_where_a_command_has_it(cli: Cli) -> None:
    for command, has_it in (((), True), (("train",), True), (("evaluate",), False)):
        [line] = [line for line in cli(*command, "--help").lines if line.startswith("  --help-all")]
        assert ("--nproc-per-node (several GPUs)" in line) is has_it


def test_version_is_one_line_on_stdout_and_h_is_short_for_help(cli: Cli) -> None:
    assert cli("generate", "-h") == cli("generate", "--help")
    ended = cli("--version")
    assert ended.code == 0
    assert re.fullmatch(r"tweetgen-tui \d+\.\d+\.\d+\S*\n", ended.out)


def test_version_as_json_has_the_versions_and_the_system_of_doctor(cli: Cli) -> None:
    report = cli("--version", "--json").object
    assert cli("--json", "--version").object == report
    assert f"tweetgen-tui {report['version']}\n" == cli("--version").out
    doctor = cli("doctor", "--json").object
    assert report == {
        "version": doctor["versions"]["tweetgen-tui"],
        "versions": doctor["versions"],
        "system": doctor["machine"]["system"],
    }
    assert {"python", "torch", "textual", "numpy"} <= report["versions"].keys()


def test_the_version_is_printed_without_importing_a_package_that_it_names() -> None:
    code = "import runpy, sys; sys.argv[1:] = ['--version', '--json']; runpy.run_module('tui', run_name='__main__')"
    listed = f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); {code}"
    ended = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    version, modules = ended.stdout.splitlines()
    assert json.loads(version)["versions"]["torch"][0].isdigit()
    assert not {"torch", "textual", "numpy"} & set(modules.split())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("--json", "--json goes with --version, or behind a command: tweetgen-tui generate --json"),
        ("--json train", "--json goes with --version"),
        ("trian", "Did you mean 'train'"),
        ("train --hiden-size 3", "--hiden-size"),
        ("train --data", "requires an argument"),
        ("train stray", "extra argument(s) (stray)"),
        ("checkpoints show", "Missing argument"),
        ("train --batch-size many", "Invalid value for '--batch-size': Not a valid integer."),
        ("bench --seconds 0", "Invalid value for '--seconds': It should be greater than or equal to 1."),
        ("train --device tpu", "Invalid value for '--device': 'tpu' is not one of"),
        ("--temperature 0.5 train", "Put the options behind the command: tweetgen-tui train"),
        ("--temperature 0.5 runs", "Put the options behind the command: tweetgen-tui runs"),
    ],
)
def test_a_usage_error_exits_with_2_and_names_the_cause(cli: Cli, line: str, said: str) -> None:
    ended = cli(*line.split())
    assert (ended.code, ended.out) == (2, "")
    assert said in _words(ended.err)
    assert "Traceback" not in ended.err


def test_help_shows_defaults_as_they_are_typed(cli: Cli) -> None:
    text = _words(cli("generate", "--help").out)
    assert "[default: 0.8]" in text
    assert "[default: 1]" in text


def test_without_arguments_the_screen_opens_as_the_command_line_would_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[RunConfig] = []
    monkeypatch.setattr("tui.cli.commands.screen.open_screen", opened.append)
    monkeypatch.setattr(sys, "argv", ["tweetgen-tui"])
    monkeypatch.setattr(gc, "disable", lambda: None)
    main()
    assert opened == [to_run_config({})]


@pytest.mark.parametrize("name", [name for group in RUN if group.config_type is RunConfig for name in group.fields])
def test_each_option_of_the_run_itself_reaches_its_config(name: str) -> None:
    value = name == "from_scratch" or "tutorial"
    assert getattr(to_run_config({name: value}), name) == value
