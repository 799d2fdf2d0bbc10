"""Help, version, what the screen starts with, options, and an interpreter of Windows."""

from __future__ import annotations

import gc
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import typer.main
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, Setting
from tests.cli.program import Cli, Finished
from tests.readme import ROOT
from tui.__main__ import main
from tui.cli.app import app
from tui.cli.commands.screen import with_screen_settings
from tui.cli.options import RUN, config_to_train


def _commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:  # typer's class has no public name
    """Yield the words of a group and of every command below it, with the group and the commands."""
    yield path, group
    for name, below in getattr(group, "commands", {}).items():
        yield from _commands(below, f"{path} {name}".strip())


@pytest.mark.parametrize(("command", "described"), _commands(typer.main.get_command(app)))
def test_the_help_of_a_command_has_its_summary_and_a_text_per_option_with_whole_choices_at_80_columns(
    cli: Cli, command: str, described: Any
) -> None:
    cli.monkeypatch.setenv("COLUMNS", "80")
    page = cli(*command.split(), "--help")
    assert (page.code, page.err) == (0, "")
    assert f"Usage: tweetgen-tui {command}".strip() in page.out
    text = re.sub(r"[\s│]+", " ", page.out)
    assert described.help.partition("\n\n")[0] in text
    for parameter in described.params:
        if not getattr(parameter, "hidden", False):
            assert parameter.help
            assert all(name in text for name in parameter.opts if name.startswith("--")), parameter.opts
            assert all(choice in text for choice in re.split(r"[|\n]+", parameter.metavar or "")), parameter.metavar


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
    assert opened == [config_to_train({})]


OPTIONS = """
--data a.csv --data b.txt --format csv --encoding utf-8 --member *.csv --column body --label sad --label-column mood
--weight 2 --weight 1 --separator === --no-replies --no-retweets --no-sensitive --keep-links --lowercase --strip-links
--strip-mentions --mask-mentions --to-ascii --max-length 99 --keep-duplicates --preset tutorial --max-seconds 60
--max-steps 9 --seed 1 --embedding-size 6 --hidden-size 8 --num-layers 2 --dropout 0.1 --ngram-order 3 --overfit 7
--from-scratch --epochs 1.5 --batch-size 4 --learning-rate 0.01 --schedule constant --warmup-steps 5 --weight-decay
0.1 --ngram-decay 0.2 --max-grad-norm 2 --average-lag 0.3 --patience 3 --steps-per-second 5 --eval-every 11
--sample-every 12 --autosave-seconds 13 --save-every 14 --keep-checkpoints 15 --keep-every-step --temperature 1.1
--prime hi --top-k 16 --top-p 0.5 --min-p 0.05 --temperature-last --only-new --avoid x,y --must-contain z --min-length
2 --best-of 3
--device cpu --precision float32 --threads 1 --deterministic --run-name mine --tensorboard /logs

--data a.txt --blank-line-separated --checkpoint first

--resume first
"""


def test_every_option_reaches_the_config_of_the_run(cli: Cli, home: Path, snapshot: SnapshotAssertion) -> None:
    """The other commands take the same groups of options."""
    create_run(home, "first")
    opened: list[RunConfig] = []
    cli.monkeypatch.setattr("tui.cli.commands.screen.open_screen", lambda config, *_, **__: opened.append(config))
    for command in OPTIONS.split("\n\n"):
        assert cli(*command.split()) == Finished(0, "", "")
    usual = asdict(RunConfig(corpus=CorpusConfig()))
    lines, seen = [], set[str]()
    for given in map(asdict, opened):
        parts = {name: given.pop(name) for name in ("settings", "corpus", "runtime")}
        for part, values in {**parts, "run": given}.items():
            changed = {
                name: value for name, value in (values or {}).items() if value != usual.get(part, usual).get(name)
            }
            lines.append(f"{part}: {changed}")
            seen |= changed.keys()
    assert seen == {name for group in RUN for name in group.fields}
    assert "\n".join(lines) == snapshot


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
        assert "install it in WSL2: docs/install.md" in sentence


def create_run(home: Path, name: str) -> None:
    """Create the folder of a run with a checkpoint."""
    (home / "runs" / name / "checkpoints").mkdir(parents=True)
    (home / "runs" / name / "config.json").touch()
    (home / "runs" / name / "checkpoints" / "best.safetensors").touch()
