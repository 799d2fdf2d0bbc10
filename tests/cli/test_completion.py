"""Completion in bash, zsh and fish: TAB lists candidates and opens no screen."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer import _completion_shared

from tests.cli.program import Cli
from tests.manual_page import COMPLETION_SCRIPTS, SHARE

ASKED = {
    "bash": {"COMP_WORDS": "tweetgen-tui {}", "COMP_CWORD": "{count}"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "tweetgen-tui {}"},
    "fish": {"_TYPER_COMPLETE_ARGS": "tweetgen-tui {}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}
"""Environment that each shell's script sets, besides `_TWEETGEN_TUI_COMPLETE`."""


def complete(cli: Cli, shell: str, words: str) -> str:
    """Return the output for TAB after these words."""
    cli.monkeypatch.setattr("tui.cli.commands.screen.open_screen", lambda *_: pytest.fail("the screen was opened"))
    cli.monkeypatch.setenv("_TWEETGEN_TUI_COMPLETE", f"complete_{shell}")
    for name, value in ASKED[shell].items():
        cli.monkeypatch.setenv(name, value.format(words, count=len(words.split(" "))))
    ended = cli()
    assert (ended.code, ended.err) == (0, "")
    return ended.out


@pytest.mark.parametrize("shell", ASKED)
def test_tab_offers_no_name_that_a_shell_would_evaluate_or_split(cli: Cli, shell: str, home: Path) -> None:
    for name in ("good-run", "$(reboot)", "a b", "`reboot`", "\\$(reboot)", "a;b", "it's", '"'):
        (home / "runs" / name / "checkpoints").mkdir(parents=True)
        (home / "runs" / name / "config.json").touch()
        (home / "runs" / name / "checkpoints" / "best.safetensors").touch()
    for typed in ("--resume ", "attach ", "runs export ", "--checkpoint ", "checkpoints show "):
        offered = complete(cli, shell, typed)
        assert "good-run" in offered
        assert [piece for piece in ("reboot", "a b", "a;b", "it's") if piece in offered] == []


@pytest.mark.parametrize("shell", ASKED)
def test_tab_offers_commands_and_options_and_starts_nothing(cli: Cli, shell: str) -> None:
    for typed, offered in (("", "train"), ("checkpoints ex", "export"), ("train --max-st", "--max-steps")):
        assert offered in complete(cli, shell, typed)


@pytest.mark.parametrize("shell", ASKED)
def test_the_script_that_is_printed_is_the_one_that_the_wheel_installs(cli: Cli, shell: str) -> None:
    cli.monkeypatch.setattr("shellingham.detect_shell", lambda: (shell, shell))
    assert cli("--show-completion").out == (SHARE / COMPLETION_SCRIPTS[shell]).read_text(encoding="utf-8")


def test_typers_own_script_for_zsh_still_completes_nothing_at_the_first_tab() -> None:
    # once this fails, try it with tests/e2e/test_completion_in_shells.py, and remove ours in tui/cli/completion.py
    *_, end = _completion_shared.COMPLETION_SCRIPT_ZSH.strip().splitlines()
    assert end.startswith("compdef ")
