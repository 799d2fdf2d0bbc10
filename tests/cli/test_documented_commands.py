"""Every command in README, docs and the examples of `--help` runs, on small files; the screen only checks its run."""

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

from engine.config.run import RunConfig
from engine.session.startup import preflight
from tests.cli.program import SMALL_MODEL, Cli, write_tweets
from tui.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
NOT_RUN = {
    "tweetgen-tui attach": "needs a running run and a terminal: tests/e2e",
    "tweetgen-tui attach my-run --read-only": "the same",
    "tweetgen-tui serve": "needs a running run, and serves until it is ended: tests/e2e",
    "tweetgen-tui serve my-run --port 9000": "the same",
    "tweetgen-tui serve --control": "the same",
    "tweetgen-tui lesson": "needs a terminal: tests/tui/screens/lesson",
    "tweetgen-tui lesson --stop 4": "the same",
    "tweetgen-tui train --detach": "leaves a process: tests/e2e",
    "tweetgen-tui data fetch sentiment140": "needs a network: tests/cli/test_data_fetch.py has a server",
    "tweetgen-tui --install-completion": "writes to the user's shell: tests/cli/test_completion.py",
    "tweetgen-tui bench": "takes minutes: tests/cli/test_bench.py",
    "tweetgen-tui bench --seconds 120": "the same",
    "tweetgen-tui bench --first-words": "the same",
    "tweetgen-tui bench --first-words --data my.csv": "the same",
    "tweetgen-tui train --nproc-per-node 2 --device cpu": "starts processes: tests/e2e",
    "torchrun --standalone --nproc-per-node 2 --max-restarts 3 -m tui train --device cpu --max-steps 1000": "the same",
    "tensorboard --logdir logs": "a server: tests/cli/test_tensorboard.py",
    "tweetgen-tui data inspect FILE": "a placeholder",
    "tweetgen-tui data inspect": "names the command only",
    "tweetgen-tui data inspect big.csv --fresh --json": "takes minutes",
    "tweetgen-tui checkpoints import my-model --name shared": "needs the folder that export hub writes: "
    "tests/cli/test_export_hub.py",
    "tweetgen-tui generate --checkpoint shared -n 5": "the same",
    "tweetgen-tui train --checkpoint shared --data my.csv": "the same",
    "python -m tests.fuzz --seconds 30 --target model_folders": "takes minutes: `.ci/run` has a short one",
    "zcat lines.gz | tweetgen-tui train --data -": "a pipe: tests/cli/test_reading_options.py",
    "time tweetgen-tui train --max-steps 1": "a figure: `train` itself runs here",
    "head -100000 big.csv > hundred.csv": "makes a large file",
    "python -m assets.grammar.make --rows 1600000 --output big.csv": "the same; `.ci/run` makes the embedded corpus",
    "python -m pytest tests/engine/session/test_resume.py": "part of this test suite",
    "python -m pytest tests/tui/screens/main/test_flood.py": "the same",
    "python -m tests.fuzz --seconds 600": "takes minutes: `.ci/run` has a short one",
    "python -m tests.kills --times 200 --seed 6": "the same",
    "python -m tests.day --hours 24": "takes minutes",
    "python -m tests.soak --minutes 60": "takes minutes",
    "python -m tests.rank_kills --steps 600 --data happy.csv": "takes minutes",
    "python -m tests.xray_speed --periods 5 --seconds 10": "the same",
    "python -m tests.onnx_figures NAME": "a placeholder",
    "python -m tests.page_figures my-run": "needs a Chromium: tests/e2e/test_web_page.py",
    "python -m tests.readme": "writes the docs: tests/architecture/test_docs.py compares",
    "python3 -m venv .venv && .venv/bin/pip install torch --index-url https://download.pytorch.org/whl/cpu": "network",
    "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/tweetgen-tui": "network: `.ci/run`",
    "python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/python -m pytest": "network: `.ci/run`",
    "uv tool install --torch-backend cpu .": "network",
    "uv tool install --torch-backend auto .": "network",
    'pipx install . --pip-args "--extra-index-url https://download.pytorch.org/whl/cpu"': "network",
    "pipx install .": "network",
    "uv tool uninstall tweetgen-tui": "removes the program",
    "pipx uninstall tweetgen-tui": "the same",
}
"""Commands that are not run here, and why."""


def _commands() -> Iterator[str]:
    """Yield the commands of the pages and of the help."""
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for block in re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            yield from block.splitlines()
        yield from re.findall(r"`((?:tweetgen-tui|python -m|time|head|uv|pipx)(?: [^`]*)?)`", text)
    yield from _examples(typer.main.get_command(app))


def _examples(command: Any) -> Iterator[str]:
    """Yield the examples in the help of a command and of those below it."""
    _, _, examples = (command.help or "").partition("Examples:\n")
    yield from (re.split(r"\s{2,}", line.strip())[0] for line in examples.splitlines() if line.strip())
    for below in getattr(command, "commands", {}).values():
        yield from _examples(below)


COMMANDS = sorted(set(_commands()))


def test_every_command_that_is_not_run_is_documented() -> None:
    assert NOT_RUN.keys() <= set(COMMANDS)
    assert len(COMMANDS) - len(NOT_RUN) > 25


@pytest.fixture(scope="module")
def documented_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file for each name in the docs."""
    folder = tmp_path_factory.mktemp("documented")
    tweets = write_tweets(folder / "lines.txt").read_text(encoding="utf-8").splitlines()
    for name in ("my.csv", "happy.csv", "hundred.csv", "other.csv"):
        (folder / name).write_text("text\n" + "\n".join(tweets), encoding="utf-8")
    (folder / "haiku.txt").write_text("\n\n".join(tweets), encoding="utf-8")
    with (ROOT / "assets" / "happy.csv").open(encoding="utf-8") as file:
        (folder / "embedded").mkdir()
        (folder / "embedded" / "happy.csv").write_text("".join(itertools.islice(file, 300)), encoding="utf-8")
    posts = (json.dumps({"post": {"text": tweet}}) for tweet in tweets)
    (folder / "a.jsonl").write_text("\n".join(posts), encoding="utf-8")
    table = pa.table({"post.text": [tweet.upper() + "!" for tweet in tweets]})
    pq.write_table(table, folder / "b.parquet")
    of_x = json.dumps([{"tweet": {"id_str": str(n), "full_text": tweet}} for n, tweet in enumerate(tweets)])
    with zipfile.ZipFile(folder / "twitter-2026-11-20.zip", "w") as archive:
        archive.writestr("data/tweets.js", f"window.YTD.tweets.part0 = {of_x}")
    with zipfile.ZipFile(folder / "facebook.zip", "w") as archive:
        of_facebook = [{"timestamp": n, "data": [{"post": tweet}]} for n, tweet in enumerate(tweets)]
        archive.writestr("posts/your_posts_1.json", json.dumps(of_facebook))
    chat = (f"[31/12/19, 21:41:{n % 60:02}] Mia: {tweet}" for n, tweet in enumerate(tweets))
    (folder / "_chat.txt").write_text("\n".join(chat), encoding="utf-8")
    (folder / "riddles").write_text("\n%\n".join(tweets), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def documented_home(documented_folder: Path) -> Path:
    """A data folder with the run `my-run`."""
    home = documented_folder / "home"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("TWEETGEN_HOME", str(home))
        run = ["--data", str(documented_folder / "lines.txt"), "--run-name", "my-run", "--max-steps", "4"]
        monkeypatch.setattr("sys.argv", ["tweetgen-tui", "train", *run, "--eval-every", "2", *SMALL_MODEL])
        with pytest.raises(SystemExit) as exit_:
            app()
        assert exit_.value.code == 0
    return home


@pytest.fixture
def _documented(documented_folder: Path, documented_home: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with the documented files, on a copy of the data folder, with a small embedded corpus."""
    shutil.copytree(documented_home, home, dirs_exist_ok=True)
    monkeypatch.chdir(documented_folder)
    files = importlib.resources.files
    embedded = documented_folder / "embedded"
    monkeypatch.setattr("importlib.resources.files", lambda name: embedded if name == "assets" else files(name))

    def check(config: RunConfig, *_: object, **__: object) -> None:
        preflight.check(config)

    monkeypatch.setattr("tui.cli.commands.screen.open_screen", check)


def _shortened(words: list[str]) -> list[str]:
    """Return a command that trains for a moment and samples few tweets."""
    text = re.sub(r"--max-seconds [\d.]+", "--max-seconds 0.2", shlex.join(words))
    text = re.sub(r"--max-steps \d+", "--max-steps 2", text).replace("--quality", "--quality --count 20")
    return [*shlex.split(text), *(SMALL_MODEL if words[:1] == ["train"] and "--hidden-size" not in words else ())]


@pytest.mark.usefixtures("_documented")
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in NOT_RUN])
def test_a_documented_command_runs(cli: Cli, command: str) -> None:
    words = shlex.split(command, comments=True)[1:]
    ended = cli(*_shortened(words))
    assert ended.code == 0, ended.err
