"""`tweetgen-tui data inspect`: the report on a terminal, in a pipe and as JSON, and of too few tweets."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console
from syrupy.assertion import SnapshotAssertion

from tests.cli.program import Cli, assert_two_line_error
from tests.engine.corpus.files.open_contents import zip_of
from tui.cli.output.progress_display import show_progress

FIELDS = {"format", "rows", "kept", "dropped", "num_chars", "alphabet_size", "duplicates", "near_duplicates"}
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def messy(tmp_path: Path) -> Path:
    """A CSV with a header, 60 tweets and unusable rows."""
    names = ("Tom", "Ann", "Bo", "gran", "mum", "we", "they", "you", "Zoë", "a fox")
    things = ("tea", "a long walk", "my dog", "the rain", "two boats", "jam")
    rows = [f"{name} likes {thing}" for thing in things for name in names]
    rows += ["@mia has a cat #cat", "see www.example.org/a", "Tom likes TEA!", "", "x" * 150]
    path = tmp_path / "messy.csv"
    path.write_text("id,text\n" + "".join(f'{n},"{row}"\n' for n, row in enumerate(rows)), encoding="utf-8")
    return path


def shown(cli: Cli, *arguments: str | Path) -> str:
    """Return the report without the time it took."""
    ended = cli("data", "inspect", *arguments)
    assert (ended.code, ended.err) == (0, "")
    assert not [line for line in ended.lines if line != line.rstrip()]
    return re.sub(r"read in .*", "read in ...", ended.out)


# For people -----------------------------------------------------------------------------------------------------------


def test_the_report_has_all_facts_about_a_file(cli: Cli, messy: Path, snapshot: SnapshotAssertion) -> None:
    assert shown(cli, messy) == snapshot


def test_several_sources_are_reported_one_by_one_and_in_total(
    cli: Cli, tweets: Path, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    archive = tmp_path / "more.zip"
    archive.write_bytes(zip_of({"x/one.txt": b"tea for two\njam\n\n", "y/two.csv": b"text\nbread for all\n"}))
    assert shown(cli, tweets, archive) == snapshot


def test_of_very_many_sources_the_first_are_shown_and_all_are_counted(cli: Cli, tmp_path: Path) -> None:
    archive = tmp_path / "many.zip"
    archive.write_bytes(zip_of({f"{n}.txt": f"tea for {n}\n\n".encode() for n in range(40)}))
    out = shown(cli, archive, "--keep-duplicates")
    assert out.count(".txt  text") == 24
    for words in ("and 16 more; --json shows each", "all 40 together", "40 of 80 rows kept (50 %)", "40  empty"):
        assert words in out, words


def test_no_line_is_wider_than_the_terminal(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wide.txt"
    texts = (
        "寿司 " * 40,
        "שלום مرحبا " * 9,
        "👩\u200d👩\u200d👧 ไทย 🇫🇷 " * 8,
        "a" * 137,
        "".join(map(chr, range(0x410, 0x460))),
    )
    path.write_text("".join(f"{n} {texts[n % 5]}\n" for n in range(60)), encoding="utf-8")
    monkeypatch.setenv("COLUMNS", "40")
    assert max(map(cell_len, shown(cli, path, "--keep-duplicates").splitlines())) <= 40


def test_too_few_tweets_are_reported_before_the_error(cli: Cli, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    path = tmp_path / "few.txt"
    path.write_text("good morning\n\nhttp://a.example/b\n", encoding="utf-8")
    ended = cli("data", "inspect", path)
    assert ended.code == 1
    assert re.sub(r"read in .*", "read in ...", f"{ended.out}\n{ended.err}") == snapshot
    assert_two_line_error(cli("data", "inspect", path, "--json"), "too few")


# As JSON --------------------------------------------------------------------------------------------------------------


def test_json_has_the_fields_of_the_design_and_its_counts_add_up(cli: Cli, messy: Path) -> None:
    ended = cli("data", "inspect", messy, "--json")
    assert (ended.code, ended.err) == (0, "")
    found = ended.object
    assert set(found) >= FIELDS
    assert (found["format"], found["rows"]) == ("csv", 65)
    assert found["dropped"] == {"duplicate": 1, "empty": 1, "over 140 characters": 1}
    assert found["kept"] + sum(found["dropped"].values()) == found["rows"]
    assert (found["duplicates"], found["near_duplicates"]) == (1, 0)
    assert found["alphabet_size"] == len(found["alphabet"])
    assert found["num_chars"] == sum(found["alphabet"].values())
    assert (found["mentions"], found["links"], found["hashtags"]) == (1, 1, 1)
    assert sum(bar["num_tweets"] for bar in found["lengths"]) == found["kept"]
    assert len(found["samples"]) == 10
    assert found["sources"][0]["notes"]


def test_a_second_report_comes_from_the_cache_unless_fresh_is_given(cli: Cli, messy: Path) -> None:
    looks = [cli("data", "inspect", messy, "--json", *more).object for more in ((), (), ("--fresh",))]
    assert [look["was_cached"] for look in looks] == [False, True, False]
    assert len({look["kept"] for look in looks}) == 1


def test_inspecting_standard_input_stores_nothing(
    cli: Cli, home: Path, messy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with messy.open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(file.raw)))
        ended = cli("data", "inspect", "-", "--json")
    assert (ended.code, ended.object["name"], ended.object["kept"]) == (0, "standard input", 62)
    assert not (home / "input").exists()


# On a terminal --------------------------------------------------------------------------------------------------------


def test_the_bar_moves_and_is_removed() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80)
    with show_progress(console) as on_progress:
        on_progress(0.25, "a.csv, \x1b[31m5,000 rows")
        on_progress(None, "a.csv, 9,000 rows")
    assert "25 %" in ESCAPES.sub("", file.getvalue())
    assert "9,000 rows" in file.getvalue()
    assert "\x1b[31m5,000" not in file.getvalue()
    assert file.getvalue().endswith("\x1b[2K"), "the line is empty again"
    assert file.getvalue().rindex("\x1b[?25h") > file.getvalue().rindex("\x1b[?25l")
