"""Help, version, what the screen starts with, an interpreter of Windows, and completion, also in real shells."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest
import typer.main
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, Setting
from tests.cli.program import DEADLINE_SECONDS, Cli
from tests.installed import require
from tests.readme import COMPLETION_SCRIPTS, ROOT, SHARE
from tui.__main__ import main
from tui.cli.app import app
from tui.cli.commands.screen import with_screen_settings
from tui.cli.options import RUN, to_run_config


def _commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # typer's class has no public name
    """Yield the words of a group and of every command below it, with the group and the commands."""
    yield path, group
    for name, below in getattr(group, "commands", {}).items():
        yield from _commands(below, f"{path} {name}".strip())


@pytest.mark.parametrize(("command", "described"), _commands(typer.main.get_command(app)))
def test_the_help_of_a_command_has_its_summary_and_a_text_per_option(cli: Cli, command: str, described: Any) -> None:
    page = cli(*command.split(), "--help")
    assert (page.code, page.err) == (0, "")
    assert f"Usage: tweetgen-tui {command}".strip() in page.out
    text = re.sub(r"[\s│]+", " ", page.out)
    assert described.help.partition("\n\n")[0] in text
    for parameter in described.params:
        if not getattr(parameter, "hidden", False):
            assert parameter.help
            assert all(name in text for name in parameter.opts if name.startswith("--")), parameter.opts


@pytest.mark.parametrize("command", ["generate", "checkpoints", "runs replay"])
def test_a_help_page_is(cli: Cli, snapshot: SnapshotAssertion, command: str) -> None:
    page = cli(*command.split(), "--help")
    assert page.out == snapshot
    assert cli(*command.split(), "-h") == page


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


def test_a_single_tweet_is_learned_slowly_enough_to_watch_and_a_corpus_without_a_limit() -> None:
    def pace(corpus: CorpusConfig | None, **given: Setting) -> Setting | None:
        settings = with_screen_settings(RunConfig(corpus=corpus, settings=given), {"sample_every": 9}).settings
        assert settings["sample_every"] == 9
        return settings.get("steps_per_second")

    assert (pace(CorpusConfig(overfit=200)), pace(CorpusConfig(overfit=200), steps_per_second=0.0)) == (7.0, 0.0)
    assert pace(CorpusConfig()) is pace(None) is None


WINDOWS = """
import runpy, signal, sys
sys.platform = "win32"
for name in ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty"):
    sys.modules[name] = None  # an import of it fails
for name in [name for name in vars(signal) if name.startswith("SIG")]:
    if name not in ("SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM", "SIG_DFL", "SIG_IGN"):
        delattr(signal, name)
"""
"""Makes the interpreter lack what Python's documentation says is missing on Windows."""


@pytest.mark.ci
def test_a_start_on_windows_ends_with_one_sentence_that_names_wsl2() -> None:
    starts = "runpy.run_module('tui', run_name='__main__')", "import tui.__main__  # as the console script does"
    for start in starts:
        ended = subprocess.run(
            [sys.executable, "-c", WINDOWS + start, "--version"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stdout) == (1, "")
        [sentence] = ended.stderr.splitlines()
        assert sentence.startswith("tweetgen-tui: ")
        assert "WSL2" in sentence


ASKED = {
    "bash": {"COMP_WORDS": "tweetgen-tui {}", "COMP_CWORD": "{count}"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "tweetgen-tui {}"},
    "fish": {"_TYPER_COMPLETE_ARGS": "tweetgen-tui {}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}
"""Environment that each shell's script sets, besides `_TWEETGEN_TUI_COMPLETE`."""


def create_run(home: Path, name: str) -> None:
    """Create the folder of a run with a checkpoint."""
    (home / "runs" / name / "checkpoints").mkdir(parents=True)
    (home / "runs" / name / "config.json").touch()
    (home / "runs" / name / "checkpoints" / "best.safetensors").touch()


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
