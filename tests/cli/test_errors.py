"""Errors: two lines, an exit code, and nothing written; hostile text and files.

The commands are in `errors.txt`, the answers recorded.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import random
import re
import shutil
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.format import read_info
from engine.corpus import collect
from tests import hostile
from tests.cli.program import SMALL_MODEL, Cli, assert_error_at_the_end, assert_two_line_error, sections_of
from tests.engine.checkpoints.damage import with_raw_header
from tests.tui.process.host_and_client import hosted

ROWS = [f"a nice day, number {number}" for number in range(60)]
FILES: dict[str, bytes] = {
    "mine": b"mine",
    "empty.txt": b"",
    "small.txt": "\n".join(ROWS[:4]).encode(),
    "links.txt": b"".join(b"http://example.org/%d\n" % number for number in range(60)),
    "quote.csv": b'text\n"' + b"never closed\n" * 1_500,
    "cut.csv.gz": gzip.compress("".join(f"{row} {row * row}\n" for row in range(9999)).encode(), mtime=0)[:60],
    "page.html": "".join(f'<p class="p">{row.replace(",", "")}</p>\n' for row in ROWS).encode(),
    "wide.csv": b"id,body,kind\n" + b"1,a nice day,x\n" * 60,
    "rows.txt": "\n".join(ROWS).encode(),
}
PACKAGES = ("onnx", "tensorboard.compat.proto", "textual_serve.server")
COMMANDS = sections_of(Path(__file__).with_name("errors.txt"))


@pytest.fixture
def folder(elsewhere: Path) -> Path:
    """A folder outside the data folder, with `FILES`."""
    for name, content in FILES.items():
        (elsewhere / name).write_bytes(content)
    return elsewhere


@pytest.mark.parametrize("section", [name for name in COMMANDS if not name.endswith(("preparing", "usage"))])
def test_an_error_is_two_lines_before_anything_is_written(
    cli: Cli, home: Path, trained_once: Path, folder: Path, tweets: Path, snapshot: SnapshotAssertion, section: str
) -> None:
    cli.reads(b"mit\n")
    cli.monkeypatch.setattr(collect, "MAX_SECONDS", math.inf)  # else a busy machine finds some after the start
    if section != "without a run":
        shutil.copytree(trained_once, home, dirs_exist_ok=True)
        shutil.copytree(home / "runs" / "first", home / "runs" / "without-journal")
        (home / "runs" / "without-journal" / "events.jsonl").unlink()
        content = (home / "runs" / "first" / "checkpoints" / "latest.safetensors").read_bytes()
        (home / "checkpoints").mkdir()
        (home / "checkpoints" / "damaged.safetensors").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for module in PACKAGES if section == "without packages" else ():
        cli.monkeypatch.setitem(sys.modules, module, None)
        cli.monkeypatch.delitem(sys.modules, "tui.process.browser", raising=False)
    before = sorted([*folder.rglob("*"), *home.rglob("*")])
    told = []
    for line in COMMANDS[section]:
        ended = cli.named(line, DIR=folder, TWEETS=tweets, HOME=home)
        assert_two_line_error(ended)
        told += [f"$ {line}", ended.err]
    assert "\n".join(told) == snapshot
    assert sorted([*folder.rglob("*"), *home.rglob("*")]) == before
    assert (folder / "mine").read_text() == "mine"


def test_a_problem_in_setup_is_two_lines(
    cli: Cli, best: Path, folder: Path, tweets: Path, snapshot: SnapshotAssertion
) -> None:
    shutil.copy(best, folder / "copy.safetensors")
    [corpus] = read_info(best)[0].corpus.files
    answers = []
    for line in COMMANDS["while preparing"]:
        ended = cli.named(line, TWEETS=tweets, DIR=folder, CORPUS=Path(corpus))
        assert_error_at_the_end(ended)
        answers += [f"$ {line}", *ended.error_lines[-2:]]
        answers[-1] = answers[-1].replace("'CORPUS'", "CORPUS")  # quoted where the folder of this test has a space
    assert re.sub(r"in [\d.]+ s", "in N s", "\n".join(answers)) == snapshot


def test_a_usage_error_exits_with_2_and_names_the_cause(cli: Cli, snapshot: SnapshotAssertion) -> None:
    answers = []
    for line in COMMANDS["usage"]:
        ended = cli(*line.split())
        assert (ended.code, ended.out) == (2, ""), line
        assert "Traceback" not in ended.err
        answers += [f"$ {line}", re.sub(r"[\s│╭╮╰╯─]+", " ", ended.err.partition("Error")[2]).strip()]
    assert "\n".join(answers) == snapshot


def test_a_port_in_use_is_named_together_with_the_option_that_avoids_it(cli: Cli) -> None:
    with hosted() as run, socket.create_server(("127.0.0.1", 0)) as other:
        run.folder.config_path.write_text("{}", encoding="utf-8")
        ended = cli("serve", "--port", str(other.getsockname()[1]))
        assert_two_line_error(ended, " of 127.0.0.1", "in use", "--port 0 picks a free one")


def test_an_error_late_in_a_file_follows_the_progress_or_is_the_one_event(cli: Cli, tmp_path: Path, home: Path) -> None:
    noise, as_letters = random.Random(1), str.maketrans("0123456789", "ghijklmnop")  # noqa: S311 - no secrets
    lines = [*ROWS * 5, *(noise.randbytes(40).hex(" ").translate(as_letters) for _ in range(20_000))]
    path = tmp_path / "late.txt.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode())[:-2000])
    assert_error_at_the_end(cli("train", "--data", path), "late.txt.gz", "truncated")
    assert not list((home / "runs").iterdir())
    failed = cli("train", "--data", path, "--json")
    assert (failed.code, failed.object["event"], failed.object["step"]) == (1, "RunFailed", 0)
    assert "truncated" in failed.object["detail"]


# Bugs -----------------------------------------------------------------------------------------------------------------


FAILING = mock.Mock(side_effect=ZeroDivisionError("out of \x1b[31mthe blue"))


def test_an_unexpected_error_is_two_lines_and_a_traceback_in_the_log_or_else_on_stderr(cli: Cli, home: Path) -> None:
    cli.monkeypatch.setattr("tui.cli.commands.doctor.installed_versions", FAILING)
    ended = cli("doctor")
    assert (ended.code, ended.out) == (3, "")
    [what, hint] = ended.error_lines
    assert what == "tweetgen-tui: ZeroDivisionError: out of the blue"
    assert str(home / "tweetgen.log") in hint
    assert "ZeroDivisionError" in (home / "tweetgen.log").read_text(encoding="utf-8")
    cli.monkeypatch.setenv("TWEETGEN_HOME", str(home / "tweetgen.log"))
    ended = cli("doctor")
    assert ended.code == 3
    assert ended.err.startswith("Traceback")
    assert "the lines above" in ended.error_lines[-1]


def test_an_unexpected_error_of_a_run_exits_with_3_and_is_in_its_log(cli: Cli, home: Path, tweets: Path) -> None:
    cli.monkeypatch.setattr("engine.training.trainer.Trainer.step", FAILING)
    ended = cli("train", "--json", "--data", tweets, *SMALL_MODEL, "--seed", "1", "--run-name", "x")
    assert (ended.code, ended.objects[-1]["event"]) == (3, "RunFailed")
    assert "Traceback" not in ended.err
    assert "ZeroDivisionError" in (home / "runs" / "x" / "tweetgen.log").read_text(encoding="utf-8")


def test_names_that_are_not_utf8_are_refused_for_the_tweets_of_a_run_only(
    cli: Cli, trained: Path, tweets: Path, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"d\xff")
    folder.mkdir()
    data = shutil.copy(tweets, folder / "tweets.txt")
    assert cli("data", "inspect", data).code == 0
    assert cli("evaluate", "--checkpoint", "first", "--data", data).code == 0
    for there, name in ((tmp_path, data), (folder, "tweets.txt")):
        cli.monkeypatch.chdir(there)
        refused = cli("train", "--data", name)
        assert_two_line_error(refused)
        assert "The name d? in " in refused.err
    assert [each.name for each in (trained / "runs").iterdir()] == ["first"]
    weights = shutil.copy(trained / "runs" / "first" / "checkpoints" / "best.safetensors", folder / "x.safetensors")
    ended = cli(
        "train", "--json", "--checkpoint", weights, "--data", tweets, "--max-steps", "50", "--run-name", "other"
    )
    assert (ended.code, ended.objects[0]["resumed_from"]) == (0, str(weights).encode("utf-8", "replace").decode())


def test_characters_that_stdout_can_not_encode_are_replaced(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "cafe.txt"
    path.write_text("".join(f"un café numéro {number} ☕\n" for number in range(60)), encoding="utf-8")
    written = io.BytesIO()
    cli.monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="ascii"))
    ended = cli("data", "inspect", path)
    assert (ended.code, ended.err) == (0, "")
    assert b"un caf? num?ro" in written.getvalue()


# Hostile text ---------------------------------------------------------------------------------------------------------

WORST = hostile.ALL_AT_ONCE.replace("\0", "")  # which no argument can hold
BUDGET = ("--max-steps", "6", "--eval-every", "3", "--sample-every", "1", "--run-name", "zqj + run")
NAME = "zqj\x1b]52;c;PWNED\x07\x9b31m\u202e\n[red] :smile: =1"


def assert_harmless(*texts: str) -> None:
    """Assert that these outputs have no control characters."""
    for line in "\n".join(texts).split("\n"):
        assert hostile.obeyed(line) == [], ascii(line)
        if not line.startswith("{"):  # JSON has names in full
            assert hostile.most_marks_on_one(line) <= 8, ascii(line)[:200]


def assert_harmless_file(path: Path) -> None:
    assert [found for line in path.read_text("utf-8").split("\n") for found in hostile.obeyed(line)] == []


def test_a_run_with_hostile_corpus_and_name_tells_harmless_text(cli: Cli, home: Path, elsewhere: Path) -> None:
    corpus = hostile.write_corpus(elsewhere / f"{NAME}.txt")
    trained = cli("train", "--data", corpus, *SMALL_MODEL, *BUDGET, "--json")
    assert trained.code == 0, trained.err
    assert trained.objects[0]["corpus"].startswith("zqj")
    assert_harmless(trained.out, trained.err)
    (home / "checkpoints").mkdir()
    saved = home / "runs" / "zqj + run" / "checkpoints" / "latest.safetensors"
    (home / "checkpoints" / f"{NAME}.safetensors").write_bytes(saved.read_bytes())
    (home / "runs" / os.fsdecode(b"zqj \xff\x1b[31m") / "checkpoints").mkdir(parents=True)
    for command in (
        ("generate", "-n", "3", "--temperature", "5", "--seed", "1"),
        ("evaluate", "--data", corpus),
        ("xray", WORST[:450]),
        ("data", "inspect", corpus),
        ("checkpoints", "list"),
        ("checkpoints", "show", NAME),
        ("runs", "list"),
        ("doctor",),
    ):
        for option in ((), ("--json",)):
            told = cli(*command, *option)
            assert told.code == 0, told.err
            assert told.out
            assert_harmless(told.out, told.err)
    drawn = cli("xray", WORST[:450], "--svg", "-")
    assert (drawn.code, drawn.out[:5]) == (0, "<svg ")
    assert_harmless(drawn.out, drawn.err)
    for name in ("tweetgen.log", "events.jsonl"):
        assert_harmless_file(home / "runs" / "zqj + run" / name)


def test_a_quoted_argument_and_a_traceback_are_harmless(cli: Cli, home: Path) -> None:
    for arguments in (
        ("train", "--run-name", WORST),
        ("train", "--data", WORST),
        ("train", f"--{WORST}", "1"),
        (WORST,),
        ("checkpoints", "rename", WORST, WORST),
        ("data", "fetch", WORST),
    ):
        told = cli(*arguments)
        assert told.code in (1, 2), told.err
        assert told.err
        assert "Traceback" not in told.err
        assert_harmless(told.out, told.err)

    def fail() -> None:
        raise RuntimeError(hostile.ALL_AT_ONCE)

    cli.monkeypatch.setattr("tui.__main__._run", fail)
    told = cli("doctor")
    assert told.code == 3
    assert_harmless(told.out, told.err)
    assert "    raise RuntimeError" in (home / "tweetgen.log").read_text("utf-8")
    assert_harmless_file(home / "tweetgen.log")


# Hostile files --------------------------------------------------------------------------------------------------------


def hundred_gigabytes(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 10**11 - 8))
    os.truncate(path, 10**11)


HARM: dict[str, Callable[[Path], object]] = {
    "pipe": os.mkfifo,
    "folder": Path.mkdir,
    "large": hundred_gigabytes,
    "brackets": lambda path: path.write_bytes(with_raw_header(b"[" * 5_000_000)),
}


def test_a_data_folder_that_can_not_be_made_has_no_runs(cli: Cli, tweets: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("keep me", encoding="utf-8")
    cli.monkeypatch.setenv("TWEETGEN_HOME", str(tmp_path / "file" / "home"))
    refused = cli("train", "--data", tweets)
    assert_two_line_error(refused, f"{tmp_path}/file/home/runs", "can't be written", "TWEETGEN_HOME")
    assert (tmp_path / "file").read_text(encoding="utf-8") == "keep me"
    for command in ("runs", "checkpoints"):
        ended = cli(command, "list")
        assert (ended.code, ended.out, cli(command, "list", "--json").out) == (0, "", "")
        assert "tweetgen-tui train" in ended.err, "what fills an empty list"
    report = cli("doctor", "--json").object["folders"]
    assert report["writable"] is False
    assert "can't be written" in report["problem"]


def test_files_that_are_no_checkpoints_or_runs_are_refused_by_name_and_block_no_other(cli: Cli, trained: Path) -> None:
    (trained / "checkpoints").mkdir()
    for name, make in HARM.items():
        odd = trained / "checkpoints" / f"{name}.safetensors"
        make(odd)
        assert_two_line_error(cli("checkpoints", "show", name), odd.name)
        assert_two_line_error(cli("train", "--checkpoint", name, "--max-steps", "1"), odd.name)
    for name in ("pipe", "folder"):
        run = trained / "runs" / name
        (run / "checkpoints").mkdir(parents=True)
        (run / "config.json").write_text("not even JSON")
        HARM[name](run / "events.jsonl")
        HARM[name](run / "checkpoints" / "latest.safetensors")
        assert_two_line_error(cli("train", "--resume", name))
    checkpoints = {entry["name"]: entry["problem"] for entry in cli("checkpoints", "list", "--json").objects}
    assert {name for name, problem in checkpoints.items() if not problem} == {"first/best", "first/latest"}
    assert all(f"{name}.safetensors" in checkpoints[name] for name in HARM)
    runs = {fact["run"]: fact["problem"] for fact in cli("runs", "list", "--json").objects}
    assert runs.pop("first") == ""
    assert runs.keys() == {"pipe", "folder"}
    assert all("latest.safetensors" in problem for problem in runs.values())
