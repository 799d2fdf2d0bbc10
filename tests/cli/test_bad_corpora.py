"""Unusable data: two lines and exit code 1 before a run starts."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from tests.cli.program import Cli, assert_error_at_the_end, assert_two_line_error

ROWS = [f"a nice day, number {number}" for number in range(60)]
AS_LETTERS = str.maketrans("0123456789", "ghijklmnop")
TEXT = "\n".join(ROWS) + "\n"

BAD_FILES = {
    "empty.txt": (b"", ["is empty"]),
    "small.txt": (TEXT[:100].encode(), ["too few usable tweets", "At least 20 distinct tweets"]),
    "links.txt": (b"".join(b"http://example.org/%d\n" % number for number in range(60)), ["60 only a link"]),
    "quote.csv": (
        b'text\n"' + b"never closed\n" * 1_500,
        ["too few usable", "1 with a quotation mark that is never closed"],
    ),
    "cut.csv.gz": (gzip.compress("".join(f"{row} {row * row}\n" for row in range(9999)).encode())[:60], ["truncated"]),
    "page.html": (
        "".join(f'<p class="p">{row.replace(",", "")}</p>\n' for row in ROWS).encode(),
        ["does not look like text: 100 % of its rows are markup or code", "--format text"],
    ),
    "keys.jsonl": ("".join(f'{{"shout": "{row}"}}\n' for row in ROWS).encode(), ["no known key", "shout", "--column"]),
}


def late_failure(folder: Path) -> Path:
    """Return a file that is valid but truncated."""
    noise = random.Random(1)  # noqa: S311 - no secrets
    lines = [*ROWS * 5, *(noise.randbytes(40).hex(" ").translate(AS_LETTERS) for _ in range(20_000))]
    path = folder / "late.txt.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode())[:-2000])
    return path


@pytest.mark.parametrize("name", BAD_FILES)
def test_an_unusable_file_is_an_error_in_two_lines(cli: Cli, home: Path, tmp_path: Path, name: str) -> None:
    content, words = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    assert_two_line_error(cli("train", "--data", tmp_path / name, "--max-steps", "1"), name, *words)
    assert not list((home / "runs").iterdir())


@pytest.mark.parametrize("column", ["nope", "4"])
def test_a_missing_column_is_named_with_the_existing_ones(cli: Cli, tmp_path: Path, column: str) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("id,body,kind\n" + "".join(f"1,{row},x\n" for row in ROWS).replace(", number", ""), "utf-8")
    ended = cli("train", "--data", path, "--column", column)
    assert_two_line_error(ended, f"no column {column}", "id, body, kind")


def test_one_bad_file_among_good_ones_is_named(cli: Cli, tweets: Path) -> None:
    assert_two_line_error(cli("train", "--data", tweets, "--data", "/nowhere/x.txt"), "/nowhere/x.txt")


def test_an_error_at_the_end_of_a_long_file_is_reported_after_the_progress(
    cli: Cli, tmp_path: Path, home: Path
) -> None:
    assert_error_at_the_end(cli("train", "--data", late_failure(tmp_path)), "late.txt.gz", "truncated")
    assert not list((home / "runs").iterdir())


def test_with_json_a_late_failure_is_the_one_event_of_the_stream(cli: Cli, tmp_path: Path) -> None:
    ended = cli("train", "--json", "--data", late_failure(tmp_path))
    assert ended.code == 1
    assert (ended.object["event"], ended.object["step"]) == ("RunFailed", 0)
    assert "truncated" in ended.object["detail"]


def test_a_row_to_overfit_beyond_the_data_is_refused(cli: Cli, tweets: Path) -> None:
    assert_two_line_error(cli("train", "--data", tweets, "--overfit", "60"), "Row 60", "the data has fewer rows")
