"""Help, version and usage errors."""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from syrupy.assertion import SnapshotAssertion

from engine.config.run import RunConfig
from tests.cli.program import Cli
from tui.__main__ import main
from tui.cli.app import app
from tui.cli.options import RUN, to_run_config


def _commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # typer's class has no public name
    """Yield the words of a group and of every command below it, with the group and the commands."""
    yield path, group
    for name, below in getattr(group, "commands", {}).items():
        yield from _commands(below, f"{path} {name}".strip())


COMMANDS = dict(_commands(typer.main.get_command(app)))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_its_summary_and_each_option_with_a_text(cli: Cli, command: str) -> None:
    page = cli(*command.split(), "--help")
    assert (page.code, page.err) == (0, "")
    assert f"Usage: tweetgen-tui {command}".strip() in page.out
    text = re.sub(r"[\s│]+", " ", page.out)
    assert COMMANDS[command].help.partition("\n\n")[0] in text
    for parameter in COMMANDS[command].params:
        if getattr(parameter, "hidden", False):
            continue
        assert parameter.help
        assert all(name in text for name in parameter.opts if name.startswith("--")), parameter.opts
    assert cli(*command.split(), "-h") == page


@pytest.mark.parametrize("command", ["generate", "checkpoints", "runs replay"])
def test_a_help_page_is(cli: Cli, snapshot: SnapshotAssertion, command: str) -> None:
    assert cli(*command.split(), "--help").out == snapshot


def test_version_is_one_line_and_as_json_has_the_versions_and_the_system_of_doctor(cli: Cli) -> None:
    report = cli("--version", "--json").object
    assert cli("--json", "--version").object == report
    assert cli("--version").out == f"tweetgen-tui {report['version']}\n"
    doctor = cli("doctor", "--json").object
    assert report == {
        "version": doctor["versions"]["tweetgen-tui"],
        "versions": doctor["versions"],
        "system": doctor["machine"]["system"],
    }
    assert {"python", "torch", "textual", "numpy"} <= report["versions"].keys()


@pytest.mark.parametrize(
    ("line", "cause"),
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
        ("serve --port 65536", "--port"),
    ],
)
def test_a_usage_error_exits_with_2_and_names_the_cause(cli: Cli, line: str, cause: str) -> None:
    ended = cli(*line.split())
    assert (ended.code, ended.out) == (2, "")
    assert cause in re.sub(r"[\s│]+", " ", ended.err)
    assert "Traceback" not in ended.err


def test_without_arguments_the_screen_opens_as_the_command_line_would_open_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[RunConfig] = []
    monkeypatch.setattr("tui.cli.commands.screen.open_screen", opened.append)
    monkeypatch.setattr(sys, "argv", ["tweetgen-tui"])
    monkeypatch.setattr(gc, "disable", lambda: None)
    main()
    assert opened == [to_run_config({})]


def test_each_option_of_the_run_itself_reaches_its_config() -> None:
    for name in (name for group in RUN if group.config_type is RunConfig for name in group.fields):
        value = name == "from_scratch" or "tutorial"
        assert getattr(to_run_config({name: value}), name) == value
