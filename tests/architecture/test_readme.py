"""What the README says is so: its commands, options and keys are those of the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import typer.main
from typer.testing import CliRunner

from tests.readme import key_table
from tui.cli.app import app

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
OTHER_OPTIONS = {"--help", "--rows", "--output"}
"""Those of every command, and of `assets/grammar/make.py`."""


def options_of(command: object) -> set[str]:
    """Return the long options of a command and of all commands below it."""
    own = {option for parameter in getattr(command, "params", ()) for option in getattr(parameter, "opts", ())}
    return own.union(*(options_of(below) for below in getattr(command, "commands", {}).values()))


def test_the_first_two_commands_are_one_line_each_and_complete_on_a_fresh_machine() -> None:
    for command, last in zip(COMMANDS[:2], [".venv/bin/tweetgen-tui", ".venv/bin/python -m pytest"], strict=True):
        assert command.count("\n") == 1
        assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
        assert command.rstrip().endswith(last)


def test_every_option_that_the_readme_names_is_one_of_the_program() -> None:
    of_the_program = re.sub(r"python -m tests\.[^`\n]*", "", README)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", of_the_program))
    assert named - OTHER_OPTIONS <= options_of(typer.main.get_command(app))


def test_every_command_that_the_readme_names_is_one_of_the_program() -> None:
    named = re.findall(r"`tweetgen-tui ([a-z]+(?: [a-z]+)?)", README)
    assert named
    for words in named:
        assert CliRunner().invoke(app, [*shlex.split(words), "--help"]).exit_code == 0, words


def test_the_key_table_is_that_of_the_program() -> None:
    assert key_table() in README, "write it anew: python -m tests.readme"


def test_the_pictures_that_the_readme_shows_are_there() -> None:
    shown = re.findall(r"\((assets/[^)]+\.svg)\)", README)
    assert shown
    assert all((ROOT / path).is_file() for path in shown)
