"""Hostile text on the command line: in corpora, in names, in arguments, in what foreign files claim.

Nothing of it reaches stdout, stderr or a log as anything but harmless text, and JSON says exactly what there is.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import hostile
from tests.cli.program import SMALL_MODEL, Cli, Finished, assert_told_in_two_lines
from tests.engine.checkpoints import write_checkpoint

WORST = hostile.ALL_AT_ONCE.replace("\0", "")  # which no argument can hold
IN_JSON = WORST.encode("utf-8", "ignore").decode()
PAYLOADS = (
    WORST,
    "zqj\x1b]52;c;PWNED\x07",
    "zqj\x9b31m\u202e\u2066",
    "zqj [/foo] [@click=app.bell]x[/] :smile:",
    "zqj\n\r",
)
BUDGET = ("--max-steps", "6", "--eval-every", "3", "--sample-every", "1", "--autosave-seconds", "1")


def assert_harmless(finished: Finished) -> None:
    """Check all lines that a command wrote."""
    for line in [*finished.out.split("\n"), *finished.err.split("\n")]:
        assert hostile.obeyed(line) == [], ascii(line)
        if not line.startswith("{"):  # JSON has names in full
            assert hostile.most_marks_on_one(line) <= 8, ascii(line)[:200]
    assert ":smile:" in finished.err or "😄" not in finished.err


def hostile_name(folder: Path) -> Path:
    """Return a path in `folder` whose name holds what a name can that is UTF-8."""
    return folder / "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e\n[red] :smile: =1.txt"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hostile corpus under a hostile name."""
    return hostile.write_corpus(hostile_name(tmp_path_factory.mktemp("in")))


@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
def test_a_run_on_a_hostile_corpus_and_all_that_is_said_of_it(
    cli: Cli, home: Path, corpus: Path, *, as_json: bool
) -> None:
    option = ("--json",) if as_json else ()
    trained = cli("train", "--data", corpus, *SMALL_MODEL, *BUDGET, "--run-name", "zqj + run", *option)
    assert trained.code == 0, trained.err
    assert_harmless(trained)
    assert "zqj" in trained.err
    if as_json:
        assert trained.objects[0]["corpus"].startswith("zqj")
    for command in (
        ("generate", "-n", "3", "--temperature", "5", "--seed", "1"),
        ("evaluate", "--data", corpus),
        ("data", "inspect", corpus),
        ("checkpoints", "list"),
        ("checkpoints", "show", "zqj + run/latest"),
        ("runs", "list"),
        ("doctor",),
    ):
        told = cli(*command, *option)
        assert told.code == 0, told.err
        assert told.out
        assert_harmless(told)
        assert not as_json or told.objects
    for path in (home / "runs" / "zqj + run" / "tweetgen.log", home / "runs" / "zqj + run" / "events.jsonl"):
        assert [hostile.obeyed(line) for line in path.read_text("utf-8").split("\n") if hostile.obeyed(line)] == []


def test_json_says_exactly_what_there_is(cli: Cli, home: Path, corpus: Path) -> None:
    cli("train", "--data", corpus, *SMALL_MODEL, "--max-steps", "2", "--run-name", "r")
    shown = cli("checkpoints", "show", "r/latest", "--json")
    assert_harmless(shown)
    assert shown.object["corpus"]["files"] == [str(corpus)]


def test_a_file_named_by_bytes_that_are_no_text_is_refused_by_a_run_and_read_by_all_else(
    cli: Cli, home: Path, tmp_path: Path
) -> None:
    path = tmp_path / os.fsdecode(b"zqj \xff\x1b[31m.txt")
    path.write_text("\n".join(f"tweet number {number}" for number in range(60)))
    refused = cli("train", "--data", path, *SMALL_MODEL, "--max-steps", "2")
    assert_told_in_two_lines(refused, "no UTF-8", "--data -")
    assert_harmless(refused)
    assert not list((home / "runs").iterdir())
    for option in ((), ("--json",)):
        inspected = cli("data", "inspect", path, *option)
        assert inspected.code == 0
        assert_harmless(inspected)


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
@pytest.mark.parametrize(
    "arguments",
    [
        (*("train", "--run-name"), "{}"),
        (*("train", "--preset"), "{}"),
        (*("train", "--max-steps"), "{}"),
        (*("train", "--data"), "{}"),
        (*("train", "--data"), "/nowhere/{}"),
        (*("train", "--resume"), "{}"),
        (*("train", "--checkpoint"), "{}"),
        (*("train", "--prime"), "{}"),
        (*("train", "--{}"), "1"),
        ("{}",),
        ("train", "{}"),
        ("checkpoints", "{}"),
        ("checkpoints", "show", "{}"),
        ("checkpoints", "delete", "{}"),
        ("checkpoints", "rename", "{}", "{}"),
        ("checkpoints", "import", "{}"),
        ("runs", "replay", "{}"),
        (*("runs", "replay", "x", "--speed"), "{}"),
        ("generate", "--checkpoint", "{}"),
        ("evaluate", "--data", "{}"),
        ("data", "inspect", "{}"),
        (*("data", "inspect", "--format"), "{}"),
        ("data", "fetch", "{}"),
    ],
    ids=" ".join,
)
def test_an_argument_is_told_harmlessly(cli: Cli, arguments: tuple[str, ...], payload: str) -> None:
    told = cli(*(argument.replace("{}", payload) for argument in arguments))
    assert told.code in (1, 2), told.err
    assert told.err
    assert "Traceback" not in told.err
    assert_harmless(told)


def test_checkpoints_and_runs_that_somebody_put_there_under_hostile_names(
    cli: Cli, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in hostile.FILE_NAMES:
        run = home / "runs" / os.fsdecode(name)
        (run / "checkpoints").mkdir(parents=True)
        (run / "config.json").write_bytes(b"{}")
        write_checkpoint(run / "checkpoints" / "latest.safetensors", run=IN_JSON, corpus_name=IN_JSON)
        path = home / "checkpoints" / os.fsdecode(name.removesuffix(b".txt")[:200] + b".safetensors")
        write_checkpoint(path, run=IN_JSON, corpus_name=IN_JSON, versions={IN_JSON: IN_JSON})
    for command in (("checkpoints", "list"), ("runs", "list")):
        for option in ((), ("--json",)):
            listed = cli(*command, *option)
            assert listed.code == 0, listed.err
            assert len(listed.lines) >= len(hostile.FILE_NAMES)
            assert_harmless(listed)
    paths = {found["path"] for found in cli("checkpoints", "list", "--json").objects}
    assert {str(path) for path in (home / "checkpoints").iterdir()} <= paths
    for path in (home / "checkpoints").iterdir():
        for option in ((), ("--json",)):
            assert_harmless(cli("checkpoints", "show", path.stem, *option))
        monkeypatch.setattr("sys.stdin", io.StringIO())
        assert_harmless(cli("checkpoints", "delete", path.stem))
        assert_harmless(cli("checkpoints", "delete", "--yes", path.stem))


def test_a_folder_of_data_with_a_hostile_name(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / os.fsdecode(b"home \x1b[31m\xff")
    monkeypatch.setenv("TWEETGEN_HOME", str(home))
    for command in (("doctor",), ("doctor", "--json"), ("runs", "list"), ("checkpoints", "show", "x")):
        assert_harmless(cli(*command))


def test_a_traceback_in_the_log_is_harmless(
    cli: Cli, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError(hostile.ALL_AT_ONCE)

    monkeypatch.setattr("tui.__main__._run", fail)
    told = cli("doctor")
    assert told.code == 3
    assert_harmless(told)
    written = (home / "tweetgen.log").read_text("utf-8")
    assert "zqj" in written
    assert "    raise RuntimeError" in written
    assert [found for line in written.split("\n") for found in hostile.obeyed(line)] == []
    shutil.rmtree(home)
    home.write_text("no folder")
    assert_harmless(cli("doctor"))


LOGGING = """
import json, logging, pathlib, sys
from engine import log
text = json.loads(sys.stdin.read())
with log.log_to(pathlib.Path("a.log")):
    logging.getLogger("engine.x").warning("%s", text)
    try:
        raise OSError(5, text, text)
    except OSError:
        logging.getLogger("engine.x").exception("no: %s", text)
"""
"""In a process of its own: what is logged here becomes a part of the test's report, which can't hold a surrogate."""


@pytest.mark.parametrize("text", [hostile.ALL_AT_ONCE, *hostile.SURROGATES.values()], ids=range(3))
def test_a_log_is_harmless(tmp_path: Path, text: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", LOGGING]
    ended = subprocess.run(
        command, input=json.dumps(text).encode(), cwd=tmp_path, env=environment, capture_output=True, check=True
    )
    assert ended.stdout + ended.stderr == b""
    written = (tmp_path / "a.log").read_text("utf-8")
    assert written.count("zqj") > 2
    assert [found for line in written.split("\n") for found in hostile.obeyed(line)] == []


def test_columns_and_labels_of_a_table_are_told_harmlessly(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [f'"{number}","{WORST[:40]}","zqj number {number} \x1b[31m"' for number in range(30)]
    header = '"\x1b]52;c;PWNED\x07id","[/red]\u202elabel\x9b","te\x1b[31mxt zqj"'
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    for arguments in ((), ("--column", "\x1b[31m"), ("--column", "2"), ("--label", "\x1b[31m")):
        for option in ((), ("--json",)):
            assert_harmless(cli("data", "inspect", path, *arguments, *option))
    jsonl = tmp_path / "a.jsonl"
    jsonl.write_text("\n".join(json.dumps({"\x1b[31mzqj\u202e": WORST, "b": {"\x9b": "x"}}) for _ in range(30)))
    for arguments in ((), ("--column", "\x1b[31mzqj\u202e"), ("--column", "b.\x9b"), ("--column", "c")):
        assert_harmless(cli("data", "inspect", jsonl, *arguments))
