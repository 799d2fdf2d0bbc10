"""A download is complete under the final name, or resumable, or fails with an error of two lines."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from engine.corpus.download.catalog import SENTIMENT140, Dataset, find_dataset
from engine.corpus.download.download import checked_url, fetch, part_path
from engine.errors import ConfigError, DownloadError, StorageError
from tests.file_server import Act, announce, answer, serve, serve_all, serving, use_no_proxy

CONTENT = bytes(range(256)) * 1200
SIZE = len(CONTENT)
HALF = SIZE // 2


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    use_no_proxy(monkeypatch)


@pytest.fixture
def dataset() -> Dataset:
    return replace(SENTIMENT140, num_bytes=SIZE, md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())


def leave_part(dataset: Dataset, content: bytes) -> None:
    dataset.path.parent.mkdir()
    part_path(dataset).write_bytes(content)


def get(dataset: Dataset, *acts: Act) -> tuple[list[str], list[str], list[float]]:
    """Fetch the file; return the requested ranges, the notes with the pauses, and the progress."""
    notes: list[str] = []
    shares: list[float] = []

    def on_progress(share: float | None, doing: str) -> None:
        if share is None:
            notes.append(doing)
        else:
            shares.append(share)

    with serving(*acts) as server:
        fetch(dataset, checked_url(server.url), on_progress, lambda seconds: notes.append(f"{seconds} seconds"))
    assert dataset.path.read_bytes() == CONTENT
    assert list(dataset.path.parent.iterdir()) == [dataset.path]
    return server.ranges, notes, shares


def fail(dataset: Dataset, *acts: Act, kept: int = 0) -> DownloadError:
    """Return the error of a download; assert the size of the partial file, and that the hint fits."""
    with serving(*acts) as server, pytest.raises(DownloadError) as caught:
        fetch(dataset, checked_url(server.url), ignored, ignored)
    part = part_path(dataset)
    assert [(path, path.stat().st_size) for path in part.parent.iterdir()] == ([(part, kept)] if kept else [])
    assert caught.value.hint
    assert kept or "is kept" not in caught.value.hint
    return caught.value


def ignored(*_: object) -> None:
    """Ignore progress and pauses."""


def test_a_file_is_fetched_whole_and_the_progress_never_decreases(dataset: Dataset) -> None:
    ranges, notes, shares = get(dataset, serve(CONTENT))
    assert (ranges, notes) == (["bytes=0-"], [])
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_redirects_are_followed(dataset: Dataset) -> None:
    get(dataset, answer(302, Location="/elsewhere.zip"), serve(CONTENT))


def test_a_broken_connection_is_retried_once_after_a_pause_from_where_it_broke(dataset: Dataset) -> None:
    ranges, [note, pause], _ = get(dataset, announce(CONTENT[:HALF], SIZE), serve(CONTENT))
    assert ranges == ["bytes=0-", f"bytes={HALF}-"]
    assert note.endswith("trying again")
    assert pause == "2.0 seconds"


def test_after_a_second_broken_connection_the_part_is_kept_and_continued_by_the_next_command(dataset: Dataset) -> None:
    error = fail(dataset, announce(CONTENT[:1000], SIZE), announce(CONTENT[:HALF], SIZE), kept=HALF)
    assert "is kept: run the same command to resume" in error.hint
    assert get(dataset, serve(CONTENT))[0] == [f"bytes={HALF}-"]


def test_a_server_error_is_retried(dataset: Dataset) -> None:
    get(dataset, answer(503), serve(CONTENT))


def test_a_server_without_ranges_sends_the_file_from_its_start(dataset: Dataset) -> None:
    leave_part(dataset, CONTENT[:HALF])
    get(dataset, serve_all(CONTENT))


@pytest.mark.parametrize("part", [b"x" * HALF, b"x" * SIZE, b"x" * (SIZE + 1)], ids=["half", "whole", "longer"])
def test_a_part_of_another_file_is_replaced(dataset: Dataset, part: bytes) -> None:
    leave_part(dataset, part)
    get(dataset, serve(CONTENT))


def test_a_complete_part_is_not_requested_again(dataset: Dataset) -> None:
    leave_part(dataset, CONTENT)
    assert get(dataset, serve(CONTENT))[0] == []


def test_another_file_is_refused_by_its_checksum_and_not_kept(dataset: Dataset) -> None:
    assert "its MD5 is" in fail(dataset, serve(b"x" * SIZE)).message


def test_another_length_is_refused_before_anything_of_the_part_is_lost(dataset: Dataset) -> None:
    leave_part(dataset, CONTENT[:HALF])
    error = fail(dataset, serve_all(b"<html>log in</html>"), kept=HALF)
    assert "19 bytes instead of" in error.message
    assert "login page" in str(error.hint)


@pytest.mark.parametrize(("part", "hint"), [(b"", "connection"), (CONTENT[:HALF], "is kept")])
def test_an_unreachable_server_is_reported_with_the_cause(dataset: Dataset, part: bytes, hint: str) -> None:
    leave_part(dataset, part)
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 can't be reached: Connection refused") as caught:
        fetch(dataset, checked_url("http://127.0.0.1:1/"), ignored)
    assert hint in caught.value.hint


def test_a_second_program_is_refused(dataset: Dataset) -> None:
    leave_part(dataset, b"x")
    with part_path(dataset).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "Another program" in fail(dataset, serve(CONTENT), kept=1).message


def test_a_folder_that_cannot_be_written_is_reported(dataset: Dataset, home: Path) -> None:
    (home / "data").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(StorageError, match="can't be written"):
        fetch(dataset, checked_url("http://127.0.0.1:1/"), ignored)


def test_a_full_disk_is_reported_and_the_part_is_kept(dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fail)
    with serving(serve(CONTENT)) as server, pytest.raises(StorageError, match="No space left on device"):
        fetch(dataset, checked_url(server.url), ignored)
    assert part_path(dataset).stat().st_size == SIZE
    assert not dataset.path.exists()


@pytest.mark.parametrize(
    "url", ["", "ftp://a/b", "file:///etc/passwd", "/tmp/x.zip", "http://", "http://a:99999/", "http://\udcff/"]
)
def test_only_web_addresses_are_accepted(url: str) -> None:
    with pytest.raises(ConfigError, match="is not a web address"):
        checked_url(url)


def test_an_unknown_data_set_is_reported_with_the_known_ones() -> None:
    with pytest.raises(ConfigError) as caught:
        find_dataset("sentiment141")
    assert caught.value.hint == "Known: sentiment140."
