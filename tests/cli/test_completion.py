"""TAB in bash, zsh and fish: the program is asked for completions, and opens no screen."""

from __future__ import annotations

import pytest

from tests.cli.program import Cli

ASKED = {
    "bash": {"COMP_WORDS": "tweetgen-tui {}", "COMP_CWORD": "{count}"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "tweetgen-tui {}"},
    "fish": {"_TYPER_COMPLETE_ARGS": "tweetgen-tui {}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}
"""What the script of each shell sets, besides `_TWEETGEN_TUI_COMPLETE`."""


@pytest.fixture(params=ASKED)
def shell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A shell whose user typed `tweetgen-tui` and pressed TAB; typed words are added with `complete`."""

    def screen(*_arguments: object) -> None:
        pytest.fail("the screen was opened")

    monkeypatch.setattr("tui.cli.commands.screen.open_screen", screen)
    return str(request.param)


def complete(cli: Cli, shell: str, words: str) -> str:
    """Return what the program answers to TAB behind these words."""
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
def test_the_script_that_a_shell_reads_is_printed(cli: Cli, shell: str) -> None:
    cli.monkeypatch.setenv("_TWEETGEN_TUI_COMPLETE", f"source_{shell}")
    ended = cli()
    assert ended.code == 0
    assert f"_TWEETGEN_TUI_COMPLETE=complete_{shell}" in ended.out
