"""Completion in bash, zsh and fish: TAB lists candidates and opens no screen."""

from __future__ import annotations

import pytest

from tests.cli.program import Cli

ASKED = {
    "bash": {"COMP_WORDS": "tweetgen-tui {}", "COMP_CWORD": "{count}"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "tweetgen-tui {}"},
    "fish": {"_TYPER_COMPLETE_ARGS": "tweetgen-tui {}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}
"""Environment that each shell's script sets, besides `_TWEETGEN_TUI_COMPLETE`."""


@pytest.fixture(params=ASKED)
def shell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shell; opening the screen fails the test."""

    def screen(*_arguments: object) -> None:
        pytest.fail("the screen was opened")

    monkeypatch.setattr("tui.cli.commands.screen.open_screen", screen)
    return str(request.param)


def complete(cli: Cli, shell: str, words: str) -> str:
    """Return the output for TAB after these words."""
    cli.monkeypatch.setenv("_TWEETGEN_TUI_COMPLETE", f"complete_{shell}")
    for name, value in ASKED[shell].items():
        cli.monkeypatch.setenv(name, value.format(words, count=len(words.split(" "))))
    ended = cli()
    assert (ended.code, ended.err) == (0, "")
    return ended.out


def test_tab_offers_commands_and_options_and_starts_nothing(cli: Cli, shell: str) -> None:
    for typed, offered in (("", "train"), ("checkpoints ex", "export"), ("train --max-st", "--max-steps")):
        assert offered in complete(cli, shell, typed)


@pytest.mark.parametrize("shell", ASKED)
def test_the_completion_script_of_each_shell_is_printed(cli: Cli, shell: str) -> None:
    cli.monkeypatch.setenv("_TWEETGEN_TUI_COMPLETE", f"source_{shell}")
    ended = cli()
    assert ended.code == 0
    assert f"_TWEETGEN_TUI_COMPLETE=complete_{shell}" in ended.out
