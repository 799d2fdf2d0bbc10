"""Exported tweets: one a line whatever they hold, never over a file that was not to be replaced."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import StorageError
from engine.events import from_json
from engine.text import defused
from tests.fakes import tweet
from tui.tweet_files import FORMATS, as_events, as_lines, as_table, export

HOSTILE = "a\nb\r\nc\u2028d\x1b[31m, \"e\" 'f' \x00 =1+1 👩\u200d👧"
TWEETS = (tweet("plain", 100, novelty="near-copy"), tweet('comma, "quote"', 2000, temperature=1.05))


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=40), max_size=5))
def test_every_format_has_a_line_for_each_tweet(texts: list[str]) -> None:
    tweets = [tweet(text) for text in texts]
    assert len(as_lines(tweets).splitlines()) == len(texts)
    assert len(as_events(tweets).split("\n")) == len(texts) + 1
    assert len(as_table(tweets).splitlines()) == len(texts) + 1
    assert [from_json(line) for line in as_events(tweets).split("\n")[:-1]] == [tweet(defused(text)) for text in texts]


def test_a_table_names_its_columns_and_quotes_what_must_be() -> None:
    rows = list(csv.reader(as_table(TWEETS).splitlines()))
    assert rows == [
        ["step", "temperature", "novelty", "bits_per_char", "text"],
        ["100", "0.8", "near-copy", "2.4000", "plain"],
        ["2000", "1.05", "new", "2.4000", 'comma, "quote"'],
    ]


def test_text_is_written_harmless_and_whole() -> None:
    assert as_lines([tweet(HOSTILE)]) == "a b c d, \"e\" 'f' =1+1 👩\u200d👧\n"
    assert as_lines([tweet("long " * 2000)]) == ("long " * 2000).strip() + "\n"


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_suffix_is_the_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"tweets{suffix.upper()}"
    export(TWEETS, path, may_replace=False)
    assert path.read_text(encoding="utf-8") == FORMATS[suffix](TWEETS)


def test_a_file_is_replaced_only_where_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "tweets.txt"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        export(TWEETS, path, may_replace=False)
    assert path.read_text() == "precious"
    export(TWEETS, path, may_replace=True)
    assert path.read_text() == as_lines(TWEETS)


def test_a_missing_folder_is_named_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="can't be written") as raised:
        export(TWEETS, tmp_path / "none" / "tweets.txt", may_replace=False)
    assert raised.value.hint == f"There is no folder {tmp_path / 'none'}."
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_half_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StorageError, match="No space left"):
        export(TWEETS, tmp_path / "tweets.txt", may_replace=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "=cmd|' /C calc'!A0", "a=1", "'=1", "1-1"])
def test_a_table_has_no_cell_that_a_table_program_would_compute_and_the_other_formats_have_the_text(text: str) -> None:
    [_, row] = csv.reader(io.StringIO(as_table([tweet(text)])))
    assert row[-1] == ("'" + text if text[0] in "=+-@" else text)
    assert as_lines([tweet(text)]) == text + "\n"
    assert from_json(as_events([tweet(text)])) == tweet(text)
