"""bash, zsh and fish complete the program with the scripts that the wheel installs, loaded as each shell finds them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.program import DEADLINE_SECONDS
from tests.installed import require
from tests.manual_page import SHARE

pytestmark = pytest.mark.ci
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
    (home / "runs" / "first" / "checkpoints").mkdir(parents=True)
    (home / "runs" / "first" / "config.json").touch()
    (home / "runs" / "first" / "checkpoints" / "best.safetensors").touch()
    (home / "checkpoints").mkdir()
    (home / "checkpoints" / "saved.safetensors").touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "my_tweets.csv").touch()
    monkeypatch.chdir(folder)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {"PATH": path, "TWEETGEN_HOME": str(home), "HOME": str(folder), "TERM": "dumb", "LC_ALL": "C.UTF-8"}


@pytest.fixture
def bash(environment: dict[str, str]) -> Iterator[pexpect.spawn[str]]:
    """A bash with bash-completion, which loads the script when it is needed."""
    require("bash", str(BASH_COMPLETION))
    data = {"BASH_COMPLETION_USER_DIR": str(SHARE / "bash-completion"), "PS1": "ready "}
    shell = pexpect.spawn("bash", ["--norc", "--noprofile", "-i"], env=environment | data, encoding="utf-8")
    shell.sendline(f"PS1='ready '; bind 'set bell-style none'; . {BASH_COMPLETION}; echo load''ed")
    shell.expect_exact("loaded", timeout=DEADLINE_SECONDS)
    yield shell
    shell.close(force=True)


@pytest.fixture
def zsh(environment: dict[str, str]) -> Iterator[pexpect.spawn[str]]:
    """A zsh whose `fpath` has the folder of the script, which it loads when it is needed."""
    require("zsh")
    functions = SHARE / "zsh" / "site-functions"
    home = Path(environment["HOME"])
    start = (
        f"fpath=({functions} $fpath); autoload -Uz compinit; compinit -u -D; unsetopt beep; PS1='ready '; echo loaded\n"
    )
    (home / ".zshrc").write_text(start, encoding="utf-8")
    shell = pexpect.spawn("zsh", ["-i"], env=environment | {"ZDOTDIR": str(home)}, encoding="utf-8")
    shell.expect_exact("loaded", timeout=DEADLINE_SECONDS)
    yield shell
    shell.close(force=True)


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_tab_completes_commands_options_runs_checkpoints_and_files_from_the_first_on(
    request: pytest.FixtureRequest, name: str
) -> None:
    shell: pexpect.spawn[str] = request.getfixturevalue(name)
    for typed, completed in TYPED.items():
        shell.expect_exact("ready ", timeout=DEADLINE_SECONDS)
        shell.send(f"tweetgen-tui {typed}\t")
        shell.expect_exact(completed.removeprefix(typed.split()[-1]), timeout=DEADLINE_SECONDS)
        shell.send("\x03")


@pytest.mark.parametrize(("typed", "completed"), TYPED.items())
def test_fish_completes_commands_options_runs_checkpoints_and_files(
    environment: dict[str, str], typed: str, completed: str
) -> None:
    require("fish")
    ended = subprocess.run(
        ["fish", "--command", f'complete --do-complete "tweetgen-tui {typed}"'],
        env=environment | {"XDG_DATA_DIRS": str(SHARE)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=True,
    )
    assert [line.partition("\t")[0] for line in ended.stdout.splitlines()] == [completed]
