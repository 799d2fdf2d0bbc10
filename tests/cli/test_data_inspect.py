"""`tweetgen-tui data inspect`: the report on a terminal, in a pipe and as JSON, and of too few tweets."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from tests.cli.program import Cli, assert_two_line_error
from tests.engine.corpus.files.open_contents import zip_of
from tui.cli.output.progress_display import show_progress

FIELDS = {"format", "rows", "kept", "dropped", "num_chars", "alphabet_size", "duplicates", "near_duplicates"}
REPORTED = (
    "messy.csv  csv",
    "header row found",
    "62 of 65 rows kept (95 %)",
    "1  over 140 characters  xxxx",
    "1  empty",
    "1  duplicate            Tom likes TEA!",
    "training    50 tweets",
    "validation  12 tweets; none shares 30 or more characters with a training tweet",
    "duplicates  1 duplicate; the first of each group is kept",
    "contain     an @name 1.6 %   a link 1.6 %   a hashtag 1.6 %",
    "scripts     Latin",
    "time        read in 0.",
    "17 on average, ",
    " distinct characters",
    "occur only once: ",
    "10 tweets at random",
)
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


# For people -----------------------------------------------------------------------------------------------------------


def test_the_report_has_all_facts_about_a_file(cli: Cli, messy: Path) -> None:
    ended = cli("data", "inspect", messy)
    assert (ended.code, ended.err) == (0, "")
    for words in REPORTED:
        assert words in ended.out, words
    assert len(re.findall(r"^ {2}· ", ended.out, re.MULTILINE)) == 10
    assert "\x1b" not in ended.out
    assert not [line for line in ended.out.splitlines() if line != line.rstrip()]


def test_several_sources_are_reported_one_by_one_and_in_total(cli: Cli, tweets: Path, tmp_path: Path) -> None:
    archive = tmp_path / "more.zip"
    archive.write_bytes(zip_of({"x/one.txt": b"tea for two\njam\n\n", "y/two.csv": b"text\nbread for all\n"}))
    out = cli("data", "inspect", tweets, archive).out
    for words in (
        *("tweets.txt  text", "60 of 60 rows kept (100 %)", "more.zip: x/one.txt  text", "more.zip: y/two.csv  csv"),
        *("1 of 1 row kept (100 %)", "all 3 together"),
    ):
        assert words in out, words
    assert re.search(r"all 3 together.*\n {2}6\d of 6\d rows kept", out)


def test_of_very_many_sources_the_first_are_shown_and_all_are_counted(cli: Cli, tmp_path: Path) -> None:
    archive = tmp_path / "many.zip"
    archive.write_bytes(zip_of({f"{n}.txt": f"tea for {n}\n\n".encode() for n in range(40)}))
    out = cli("data", "inspect", archive, "--keep-duplicates").out
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
    lines = cli("data", "inspect", path, "--keep-duplicates").lines
    assert max(map(cell_len, lines)) <= 40


# What can't be trained on ---------------------------------------------------------------------------------------------


def test_too_few_tweets_are_reported_before_the_error(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "few.txt"
    path.write_text("good morning\n\nhttp://a.example/b\n", encoding="utf-8")
    ended = cli("data", "inspect", path)
    assert ended.code == 1
    for words in ("few.txt  text", "1 of 3 rows kept (33 %)", "only a link", "http://a.example/b"):
        assert words in ended.out
    what, hint = ended.error_lines
    assert what.startswith("tweetgen-tui: few.txt has too few usable tweets: 3 rows read, 1 tweet kept")
    assert "At least 20 distinct tweets" in hint
    assert_two_line_error(cli("data", "inspect", path, "--json"), "too few")


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


def test_inspecting_standard_input_stores_nothing(
    cli: Cli, home: Path, messy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with messy.open("rb") as file:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BufferedReader(file.raw)))
        ended = cli("data", "inspect", "-", "--json")
    assert (ended.code, ended.object["name"], ended.object["kept"]) == (0, "standard input", 62)
    assert not (home / "input").exists()
