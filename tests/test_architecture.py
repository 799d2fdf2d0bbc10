"""What holds of all code, README, docs, manual page and wheel."""

from __future__ import annotations

import importlib.resources
import itertools
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer.main

from engine.session.startup import preflight
from tests.cli.conftest import _signals_as_before  # noqa: F401 - a fixture
from tests.cli.program import SMALL_MODEL, run_program, write_tweets
from tests.conftest import COLLECTED
from tests.installed import require
from tests.readme import DOCS, MANUAL_PAGE, PICTURES, ROOT, SHARE, shared_files, tables
from tui.cli.app import EXAMPLES, app

# Late imports ---------------------------------------------------------------------------------------------------------

STAGES = {
    "job control": "import tui.process.job_control",
    "the version": """
import contextlib, io, runpy
sys.argv[1:] = ["--version", "--json"]
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    runpy.run_module("tui", run_name="__main__")
""",
    "the screen": """
import engine.checkpoints.catalog, engine.corpus.inspection, engine.session.startup.preflight
import tui.app.app, tui.process.local, tui.lesson.stops
""",
    "the lesson": "import tui.screens.lesson.app",
    "questions": "import engine.insight.answers, engine.sampling.queries, engine.compute.stepper",
    "the weights": """
import torch
from pathlib import Path
from engine.checkpoints.checkpoint import load_checkpoint
from engine.compute.optimizer import FusedAdamW
from engine.config.run import ModelConfig
from engine.model.parameters import FlatParameters
from engine.model.gru import TextGenerator

sys.modules["torch._dynamo"] = None  # the import of PyTorch's compiler, which takes seconds, fails from now on
load_checkpoint(Path("assets/base.safetensors")).to_model(torch.device("cpu"))
for tied in (False, True):
    TextGenerator.without_weights(9, ModelConfig(embedding_size=8, hidden_size=8, tied_embeddings=tied))
model = TextGenerator(3, 2, 2)
flat = FlatParameters(model)
flat.dense_grads.fill_(1)
before = flat.weights.clone()
FusedAdamW(flat, 0.0).step(0.1, torch.tensor(False))
assert (flat.weights != before).any()
""",
}
NOT_YET = {
    "job control": ("torch", "numpy", "textual", "rich", "typer"),  # nothing that starts threads before it forks
    "the version": ("torch", "numpy", "textual", "pyarrow", "libipld", "httpx"),
    "the screen": (
        *("torch", "tui.screens.xray", "tui.widgets.xray", "tui.screens.lesson", "tui.screens.lesson.app"),
        "engine.insight",
    ),
    "the lesson": ("torch",),
    "questions": ("numba",),
    "the weights": (),
}
"""What is not imported up to the end of a stage: packages, or modules with all below them."""


def output_of(*command: str | Path) -> str:
    """Run a command at the root of the repository; return its output. It must succeed without a line on stderr."""
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert (ended.returncode, ended.stderr) == (0, ""), command
    return ended.stdout


def test_heavy_libraries_are_imported_only_by_what_needs_them() -> None:
    program = "import json, sys\n" + "".join(
        f"{stage}\nprint(json.dumps(sorted(sys.modules)))\n" for stage in STAGES.values()
    )
    ended = output_of(sys.executable, "-c", program)
    for stage, line in zip(STAGES, ended.splitlines(), strict=True):
        not_yet = tuple(f"{name}." for name in NOT_YET[stage])
        assert [module for module in json.loads(line) if f"{module}.".startswith(not_yet)] == [], stage
    imported = set(json.loads(line))
    assert {"torch", "engine.compute.optimizer", "tui.screens.lesson.app"} <= imported  # what is imported is seen


# Recordings -----------------------------------------------------------------------------------------------------------


def test_every_recording_is_of_a_test_and_case_that_exist(pytestconfig: pytest.Config) -> None:
    """Syrupy names unused ones only if all tests run in one process: a case that is lost would take its own along.

    Names are compared in files whose tests are collected: where this test runs alone, only the files are.
    """
    names = defaultdict[Path, list[str]](list)
    for path, name in pytestconfig.stash[COLLECTED]:
        names[path].append(name)
    files = [*(ROOT / "tests").rglob("*.ambr")]
    assert files
    for file in files:
        test_file = file.parent.parent / f"{file.stem}.py"
        assert test_file.exists(), file.name
        if test_file in names:
            recorded = re.findall(r"^# name: (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            beginnings = tuple(f"{name}{end}" for name in names[test_file] for end in "\n.[")
            assert [each for each in recorded if not f"{each}\n".startswith(beginnings)] == [], file.name


# JSON from outside ----------------------------------------------------------------------------------------------------

DECODES = re.compile(
    r"\bjson\.(?:loads?|JSONDecoder|decode|Decoder)\b|from (?:json|msgspec\.json) import"
    r"|\bcodec\.decode|codec import .*\bdecode(?:_tagged)?\b"
)


def test_json_which_may_hold_hostile_text_is_decoded_only_by_the_listed_modules() -> None:
    files = [path for package in ("engine", "tui") for path in (ROOT / package).rglob("*.py")]
    found = {str(path.relative_to(ROOT)) for path in files if DECODES.search(path.read_text(encoding="utf-8"))}
    _, *lines = (ROOT / "tests" / "json_decoders.txt").read_text(encoding="utf-8").splitlines()
    assert found == {line.partition(": ")[0] for line in lines}


# What pages name ------------------------------------------------------------------------------------------------------

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md")), *sorted(ROOT.glob("assets/*.md"))]


def headings(path: Path, link: str) -> set[str]:
    """Return the anchors of the page to which a link on a page leads."""
    page = path.parent / link.partition("#")[0] if not link.startswith("#") else path
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_link_file_module_and_picture_that_a_page_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", text) if ":" not in target]
    links = [path.parent / target.partition("#")[0] for target in targets]
    anchors = [each for each in targets if "#" in each and each.partition("#")[2] not in headings(path, each)]
    assert anchors == []
    files = [ROOT / name for name in re.findall(r"`((?:engine|tui|tests|tools|assets|docs|\.ci)/[\w./-]*)`", text)]
    assert [str(file) for file in (*links, *files) if not file.exists()] == []
    modules = re.findall(r"python -m ((?:tests|tools|assets)[\w.]*)", text)
    assert [name for name in modules if find_spec(name) is None] == []


def test_every_page_of_the_docs_and_every_picture_is_linked() -> None:
    linked = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    files = [*DOCS.glob("*.md"), *PICTURES.iterdir()]
    assert [path.name for path in files if f"{path.name})" not in linked] == []


def test_the_generated_tables_the_manual_page_and_the_completion_scripts_are_up_to_date() -> None:
    expected = tables() | shared_files()
    files = {*expected, *(path for path in SHARE.rglob("*") if path.is_file())}
    assert {path: path.read_text("utf-8") for path in files} == expected, "run: python -m tests.readme"


@pytest.mark.ci
def test_mandoc_groff_and_man_accept_the_manual_page() -> None:
    require("mandoc", "groff", "man", "lexgrog")
    page = SHARE / MANUAL_PAGE
    for command in (("mandoc", "-T", "lint", "-W", "warning"), ("groff", "-man", "-ww", "-z")):
        assert output_of(*command, page) == ""
    assert Path(output_of("man", "-M", SHARE / "man", "-w", "tweetgen-tui").strip()) == page
    assert '"tweetgen-tui - watch and steer a character-level GRU' in output_of("lexgrog", page)


# The commands ---------------------------------------------------------------------------------------------------------

NOT_RUN = (
    *("attach", "serve", "lesson"),  # need a terminal or a run
    *("train --detach", "train --nproc-per-node"),  # start processes
    *("data fetch", "--install-completion"),  # need a network, write to the user's shell
    *("bench", "data inspect big.csv"),  # take minutes
    *("doctor --gpu", "train --device cuda"),  # need a GPU
    *(
        "checkpoints import my-model",
        "generate --checkpoint shared",
        "train --checkpoint shared",
    ),  # need another's file
)
"""Beginnings of commands that tests of their own run, and why they do not run here."""


def _commands() -> Iterator[str]:
    """Yield the commands of the pages and of the help."""
    for path in (ROOT / "README.md", *sorted(DOCS.glob("*.md"))):
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
    if arguments[:1] == ["train"]:
        arguments += SMALL_MODEL if "--hidden-size" not in arguments else ()
        arguments += () if "--max-s" in text else ("--max-steps", "2")
    return arguments


COMMANDS = sorted(
    command
    for command in set(_commands())
    if not command.partition(" ")[2].startswith(NOT_RUN)
    and not re.search(r"\b(FILE|NAME|RUN|DIR|COMMAND)\b|\.\.\.|inspect$", command)  # a placeholder
)


@pytest.fixture(scope="module")
def documented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file for each name in the docs, and a data folder with the run `my-run`."""
    folder = tmp_path_factory.mktemp("documented")
    tweets = write_tweets(folder / "lines.txt").read_text(encoding="utf-8").splitlines()
    for name in ("my.csv", "happy.csv", "hundred.csv", "other.csv"):
        (folder / name).write_text("text\n" + "\n".join(tweets), encoding="utf-8")
    (folder / "haiku.txt").write_text("\n\n".join(tweets), encoding="utf-8")
    (folder / "riddles").write_text("\n%\n".join(tweets), encoding="utf-8")
    (folder / "embedded").mkdir()
    (folder / "embedded" / "lesson").symlink_to(ROOT / "assets" / "lesson")
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


@pytest.mark.ci
@pytest.mark.parametrize("command", COMMANDS)
def test_a_documented_command_runs(home: Path, documented: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    shutil.copytree(documented / "home", home, dirs_exist_ok=True)
    monkeypatch.chdir(documented)
    files = importlib.resources.files
    monkeypatch.setattr(
        "importlib.resources.files", lambda name: documented / "embedded" if name == "assets" else files(name)
    )
    monkeypatch.setattr("tui.cli.commands.screen.open_screen", lambda config, *_, **__: preflight.check(config))
    assert run_program(monkeypatch, *_shortened(command)) == 0
