"""Every command of the program in README, docs and the examples of `--help` runs; the screen only checks its run."""

from __future__ import annotations

import importlib.resources
import itertools
import json
import re
import shlex
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer.main

from engine.session.startup import preflight
from tests.cli.program import SMALL_MODEL, Cli, run_program, write_tweets
from tests.readme import DOCS, ROOT
from tui.cli.app import app
from tui.cli.lazy_group import EXAMPLES

pytestmark = pytest.mark.ci
PAGES = (ROOT / "README.md", *sorted(DOCS.glob("*.md")))
NOT_RUN = {
    "need a terminal or a run": ("attach", "serve", "lesson"),
    "start processes": ("train --detach", "train --nproc-per-node"),
    "need a network": ("data fetch",),
    "write to the user's shell": ("--install-completion",),
    "take minutes": ("bench", "data inspect big.csv"),
    "need what another command writes": (
        *("checkpoints import my-model", "generate --checkpoint shared", "train --checkpoint shared"),
    ),
}
"""Beginnings of commands that tests of their own run, by the reason why they do not run here."""


def _commands() -> Iterator[str]:
    """Yield the commands of the pages and of the help."""
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            yield from re.findall(r"^tweetgen-tui.*", block, re.MULTILINE)
        yield from re.findall(r"`(tweetgen-tui(?: [^`]*)?)`", text)
    yield from _examples(typer.main.get_command(app))


def _examples(command: Any) -> Iterator[str]:
    """Yield the examples in the help of a command and of those below it."""
    _, _, examples = (command.help or "").partition(EXAMPLES)
    yield from (re.split(r"\s{2,}", line.strip())[0] for line in examples.splitlines() if line.strip())
    for below in getattr(command, "commands", {}).values():
        yield from _examples(below)


def _shortened(command: str) -> list[str]:
    """Return the arguments of a command, which trains for a moment and samples few tweets."""
    text = re.sub(r"--max-seconds [\d.]+", "--max-seconds 0.2", command.partition(" ")[2])
    text = re.sub(r"--max-steps \d+", "--max-steps 2", text).replace("--quality", "--quality --count 20")
    arguments = shlex.split(text, comments=True)
    return [*arguments, *(SMALL_MODEL if arguments[:1] == ["train"] and "--hidden-size" not in arguments else ())]


COMMANDS = sorted(
    command
    for command in set(_commands())
    if not command.partition(" ")[2].startswith(tuple(itertools.chain.from_iterable(NOT_RUN.values())))
    and not re.search(r"\b(FILE|NAME|RUN|DIR|COMMAND)\b|\.\.\.|inspect$", command)  # a placeholder
)


@pytest.fixture(scope="module")
def documented_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file for each name in the docs, and a data folder with the run `my-run`."""
    folder = tmp_path_factory.mktemp("documented")
    tweets = write_tweets(folder / "lines.txt").read_text(encoding="utf-8").splitlines()
    for name in ("my.csv", "happy.csv", "hundred.csv", "other.csv"):
        (folder / name).write_text("text\n" + "\n".join(tweets), encoding="utf-8")
    (folder / "haiku.txt").write_text("\n\n".join(tweets), encoding="utf-8")
    (folder / "riddles").write_text("\n%\n".join(tweets), encoding="utf-8")
    (folder / "embedded").mkdir()
    with (ROOT / "assets" / "happy.csv").open(encoding="utf-8") as file:
        (folder / "embedded" / "happy.csv").write_text("".join(itertools.islice(file, 300)), encoding="utf-8")
    posts = (json.dumps({"post": {"text": tweet}}) for tweet in tweets)
    (folder / "a.jsonl").write_text("\n".join(posts), encoding="utf-8")
    pq.write_table(pa.table({"post.text": [tweet.upper() + "!" for tweet in tweets]}), folder / "b.parquet")
    of_x = json.dumps([{"tweet": {"id_str": str(n), "full_text": tweet}} for n, tweet in enumerate(tweets)])
    with zipfile.ZipFile(folder / "twitter-2026-11-20.zip", "w") as archive:
        archive.writestr("data/tweets.js", f"window.YTD.tweets.part0 = {of_x}")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TWEETGEN_HOME", str(folder / "home"))
        run = ("--data", folder / "lines.txt", "--run-name", "my-run", "--max-steps", "4", "--eval-every", "2")
        assert run_program(monkeypatch, "train", *run, *SMALL_MODEL) == 0
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_runs(
    cli: Cli, home: Path, documented_folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    shutil.copytree(documented_folder / "home", home, dirs_exist_ok=True)
    monkeypatch.chdir(documented_folder)
    files = importlib.resources.files
    monkeypatch.setattr(
        "importlib.resources.files", lambda name: documented_folder / "embedded" if name == "assets" else files(name)
    )
    monkeypatch.setattr("tui.cli.commands.screen.open_screen", lambda config, *_, **__: preflight.check(config))
    ended = cli(*_shortened(command))
    assert ended.code == 0, ended.err
