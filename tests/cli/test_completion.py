"""Completion: what TAB offers, also in real shells."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from tests.cli.program import DEADLINE_SECONDS, Cli
from tests.cli.test_usage import create_run
from tests.installed import require
from tests.readme import COMPLETION_SCRIPTS, SHARE

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
def test_tab_offers_commands_options_and_names_that_no_shell_evaluates(cli: Cli, shell: str, home: Path) -> None:
    for name in ("good-run", "$(reboot)", "a b", "`reboot`", "\\$(reboot)", "a;b", "it's", '"'):
        create_run(home, name)
    for typed in ("--resume ", "attach ", "runs export ", "--checkpoint ", "checkpoints show "):
        offered = complete(cli, shell, typed)
        assert "good-run" in offered
        assert [piece for piece in ("reboot", "a b", "a;b", "it's") if piece in offered] == []
    for typed, word in (("", "train"), ("checkpoints ex", "export"), ("train --max-st", "--max-steps")):
        assert word in complete(cli, shell, typed)


def test_the_script_that_is_printed_is_the_one_that_the_wheel_installs(cli: Cli) -> None:
    for shell, script in COMPLETION_SCRIPTS.items():
        cli.monkeypatch.setattr("shellingham.detect_shell", lambda shell=shell: (shell, shell))
        assert cli("--show-completion").out == (SHARE / script).read_text(encoding="utf-8")


BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
TYPED = {
    "ch": "checkpoints",
    "checkpoints l": "list",
    "train --max-st": "--max-steps",
    "--preset tu": "tutorial",
    "--data my_": "my_tweets.csv",
    "--resume fir": "first",
    "checkpoints show first/b": "first/best",
    "generate --checkpoint sav": "saved",
}
"""Words that are typed, and what TAB makes of the last of them."""


@pytest.fixture
def environment(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a shell: the program on its path, a run, a checkpoint and a file to complete."""
    create_run(home, "first")
    (home / "checkpoints").mkdir()
    (home / "checkpoints" / "saved.safetensors").touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "my_tweets.csv").touch()
    monkeypatch.chdir(folder)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "TWEETGEN_HOME": str(home), "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


def shell_of(name: str, environment: dict[str, str]) -> pexpect.spawn[str]:
    """Start bash with bash-completion, or zsh with the script's folder in `fpath`; both load the script when needed."""
    if name == "bash":
        require("bash", str(BASH_COMPLETION))
        options = ["--norc", "--noprofile", "-i"]
        environment = environment | {"BASH_COMPLETION_USER_DIR": str(SHARE / "bash-completion")}
        start = f"bind 'set bell-style none'; . {BASH_COMPLETION}"
    else:
        require("zsh")
        options = ["-f", "-i"]
        functions = SHARE / "zsh" / "site-functions"
        start = f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep"
    shell: pexpect.spawn[str] = pexpect.spawn(name, options, env=environment, encoding="utf-8")
    shell.sendline(f"{start}; PS1='ready '; echo load''ed")
    shell.expect_exact("loaded", timeout=DEADLINE_SECONDS)
    return shell


@pytest.mark.ci
@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_tab_completes_commands_options_runs_checkpoints_and_files(environment: dict[str, str], name: str) -> None:
    shell = shell_of(name, environment)
    for typed, completed in TYPED.items():
        shell.expect_exact("ready ", timeout=DEADLINE_SECONDS)
        shell.send(f"tweetgen-tui {typed}\t")
        shell.expect_exact(completed.removeprefix(typed.split()[-1]), timeout=DEADLINE_SECONDS)
        shell.send("\x03")
    shell.close(force=True)


@pytest.mark.ci
def test_fish_completes_commands_options_runs_checkpoints_and_files(environment: dict[str, str]) -> None:
    require("fish")
    environment = environment | {"XDG_DATA_DIRS": str(SHARE)}
    for typed, completed in TYPED.items():
        command = ["fish", "--command", f'complete --do-complete "tweetgen-tui {typed}"']
        offered = subprocess.check_output(command, env=environment, text=True, timeout=DEADLINE_SECONDS)
        assert [line.partition("\t")[0] for line in offered.splitlines()] == [completed]
