"""Unusable data: two lines and exit code 1 before a run starts."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from tests.cli.program import Cli, assert_error_at_the_end, assert_two_line_error

ROWS = [f"a nice day, number {number}" for number in range(60)]
AS_LETTERS = str.maketrans("0123456789", "ghijklmnop")
WIDE = "id,body,kind\n" + "1,a nice day,x\n" * 60

BAD: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "empty.txt": (b"", ()),
    "small.txt": ("\n".join(ROWS[:4]).encode(), ()),
    "links.txt": (b"".join(b"http://example.org/%d\n" % number for number in range(60)), ()),
    "quote.csv": (b'text\n"' + b"never closed\n" * 1_500, ()),
    "cut.csv.gz": (gzip.compress("".join(f"{row} {row * row}\n" for row in range(9999)).encode(), mtime=0)[:60], ()),
    "page.html": ("".join(f'<p class="p">{row.replace(",", "")}</p>\n' for row in ROWS).encode(), ()),
    "keys.jsonl": ("".join(f'{{"shout": "{row}"}}\n' for row in ROWS).encode(), ()),
    "wide.csv": (WIDE.encode(), ("--column", "nope")),
    "number.csv": (WIDE.encode(), ("--column", "4")),
    "overfit.txt": ("\n".join(ROWS).encode(), ("--overfit", "60")),
}


@pytest.mark.parametrize("name", BAD)
def test_unusable_data_are_an_error_in_two_lines(
    cli: Cli, home: Path, tmp_path: Path, name: str, snapshot: SnapshotAssertion
) -> None:
    content, options = BAD[name]
    (tmp_path / name).write_bytes(content)
    ended = cli("train", "--data", tmp_path / name, "--max-steps", "1", *options)
    assert_two_line_error(ended)
    assert ended.err.replace(f"{tmp_path}/", "") == snapshot
    assert not list((home / "runs").iterdir())


def test_one_bad_file_among_good_ones_is_named(cli: Cli, tweets: Path) -> None:
    assert_two_line_error(cli("train", "--data", tweets, "--data", "/nowhere/x.txt"), "/nowhere/x.txt")


@pytest.mark.parametrize("is_json", [False, True])
def test_an_error_at_the_end_of_a_long_file_follows_the_progress_or_is_the_one_event(
    cli: Cli, tmp_path: Path, home: Path, *, is_json: bool
) -> None:
    noise = random.Random(1)  # noqa: S311 - no secrets
    lines = [*ROWS * 5, *(noise.randbytes(40).hex(" ").translate(AS_LETTERS) for _ in range(20_000))]
    path = tmp_path / "late.txt.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode())[:-2000])
    ended = cli("train", "--data", path, *["--json"] * is_json)
    if is_json:
        assert (ended.code, ended.object["event"], ended.object["step"]) == (1, "RunFailed", 0)
        assert "truncated" in ended.object["detail"]
    else:
        assert_error_at_the_end(ended, "late.txt.gz", "truncated")
        assert not list((home / "runs").iterdir())
