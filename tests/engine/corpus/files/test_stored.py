"""Standard input and downloads are stored completely, under their final name, or not at all; a download is resumed.

No name of a run, checkpoint or data set reaches outside the data folder, whoever supplies it.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.checkpoints.catalog import find_listed, is_taken, iterate_checkpoints
from engine.checkpoints.management import delete_checkpoint, import_checkpoint, rename_checkpoint, sample_of, set_pinned
from engine.config.run import RunConfig
from engine.corpus.files import members
from engine.corpus.files.download import SENTIMENT140, Dataset, checked_url, fetch, find_dataset
from engine.corpus.files.members import save_stream, shown_path, with_saved_streams
from engine.errors import ConfigError, CorpusError, DownloadError, StorageError, TweetgenError
from engine.model.vocab import SPECIALS
from engine.protocol import codec
from engine.session.startup.preflight import check
from engine.storage.folders import create_run_folder, find_run, folder_of_run, named_checkpoint_path
from tests.engine.checkpoints.saved import checkpoint_info, write_checkpoint
from tests.fakes import run_started, tweet_sampled
from tests.file_server import Act, announce, answer, serve, serve_all, serving, use_no_proxy

TEXT = b"hello there\n" * 1000


def failing(error: BaseException) -> Any:
    """Return a stream that breaks after its first bytes."""
    return mock.Mock(read=mock.Mock(side_effect=[TEXT[:10], error]), isatty=lambda: False)


def test_a_stream_is_saved_under_the_hash_of_its_content(tmp_path: Path) -> None:
    path = save_stream(io.BytesIO(TEXT), tmp_path / "new" / "folder")
    assert path.read_bytes() == TEXT
    assert path.name == f"standard-input-{hashlib.sha256(TEXT).hexdigest()}"
    assert shown_path(path) == "standard input"
    assert shown_path(Path("some/file.txt")) == "some/file.txt"


UNUSABLE: tuple[tuple[io.BytesIO, type[BaseException], str | None], ...] = (
    (io.BytesIO(), CorpusError, "Standard input is empty"),
    (io.BytesIO(TEXT + b"x"), CorpusError, "Standard input has more than"),
    (failing(OSError(5, "Input/output error")), CorpusError, "Input/output error"),
    (failing(KeyboardInterrupt()), KeyboardInterrupt, None),
)


def test_an_unusable_stream_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "MAX_STREAM_BYTES", len(TEXT))
    for stream, raised, message in UNUSABLE:
        with pytest.raises(raised, match=message):
            save_stream(stream, tmp_path)
        assert not os.listdir(tmp_path)


def test_a_terminal_and_a_pipe_that_nobody_writes_to_are_refused_without_blocking(tmp_path: Path) -> None:
    mine, theirs = os.openpty()
    try:
        with os.fdopen(theirs, "rb") as terminal, pytest.raises(CorpusError, match="is a terminal"):
            save_stream(terminal, tmp_path)
    finally:
        os.close(mine)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CorpusError, match=f"{tmp_path}/pipe is a pipe to which no program writes"):
        with_saved_streams((str(tmp_path / "pipe"),), io.BytesIO(), tmp_path / "kept")


def test_a_pipe_is_saved_like_standard_input(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # as a shell keeps the pipe of <(command) open
    writer = threading.Thread(target=pipe.write_bytes, args=(TEXT,))
    writer.start()
    try:
        writer.join(timeout=60)  # 12 KB fit into a pipe: the writer ends before the first read
        (path,) = with_saved_streams((str(pipe),), io.BytesIO(), tmp_path / "kept")
    finally:
        os.close(reader)
    assert Path(path).read_bytes() == TEXT


def test_stale_temporary_files_are_removed_and_fresh_ones_are_not(tmp_path: Path) -> None:
    stale, fresh = tmp_path / ".standard-input.aaaaaaaa.tmp", tmp_path / ".standard-input.bbbbbbbb.tmp"
    for path in (stale, fresh):
        path.write_bytes(b"half")
    os.utime(stale, (1, 1))
    kept = save_stream(io.BytesIO(b"a tweet\n"), tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([fresh, kept])


CONTENT = bytes(range(256)) * 1200
SIZE = len(CONTENT)
HALF = SIZE // 2
IGNORED = mock.Mock()  # progress and pauses
NOWHERE = "http://127.0.0.1:1/"


@pytest.fixture
def dataset(monkeypatch: pytest.MonkeyPatch) -> Dataset:
    use_no_proxy(monkeypatch)
    return replace(SENTIMENT140, num_bytes=SIZE, md5=hashlib.md5(CONTENT, usedforsecurity=False).hexdigest())


def leave_part(dataset: Dataset, content: bytes) -> None:
    dataset.path.parent.mkdir()
    dataset.part_path.write_bytes(content)


BROKEN = announce(CONTENT[:HALF], SIZE)
FETCHED: dict[str, tuple[bytes, *tuple[Act, ...]]] = {  # the part that was kept before, and the server
    "whole": (b"", serve(CONTENT)),
    "after a redirect": (b"", answer(302, Location="/elsewhere.zip"), serve(CONTENT)),
    "after a server error": (b"", answer(503), serve(CONTENT)),
    "after a broken connection from where it broke": (b"", BROKEN, serve(CONTENT)),
    "from a server without ranges": (CONTENT[:HALF], serve_all(CONTENT)),
    "with a complete part without a request": (CONTENT, serve(CONTENT)),
    "in place of half of another file": (b"x" * HALF, serve(CONTENT)),
    "in place of another file": (b"x" * SIZE, serve(CONTENT)),
    "in place of a longer file": (b"x" * (SIZE + 1), serve(CONTENT)),
    "not, but its part is kept after a second break": (b"", announce(CONTENT[:9], SIZE), BROKEN),
    "not if it is another one": (b"", serve(b"x" * SIZE)),
    "not from a page of another length": (CONTENT[:HALF], serve_all(b"<html>log in</html>")),
    "not from a server that can't be reached": (b"",),
    "not from a server that can't be reached, but its part is kept": (CONTENT[:HALF],),
}


@pytest.mark.parametrize("name", FETCHED)
def test_a_file_is_fetched(dataset: Dataset, name: str, snapshot: SnapshotAssertion) -> None:
    part, *acts = FETCHED[name]
    if part:
        leave_part(dataset, part)
    lines: list[str] = []
    shares: list[float] = []

    def on_progress(share: float | None, doing: str) -> None:
        if share is None:
            lines.append(doing)
        else:
            shares.append(share)

    with serving(*acts) as server:
        try:
            url = checked_url(server.url if acts else NOWHERE)
            fetch(dataset, url, on_progress, lambda seconds: lines.append(f"{seconds} seconds"))
        except DownloadError as error:
            lines += [f"! {error.message}", f"!   {error.hint}"]
    for path in dataset.path.parent.iterdir():
        is_begun = CONTENT.startswith(path.read_bytes())
        lines.append(f"{path.name}: {path.stat().st_size:,} {'of its' if is_begun else 'other'} bytes")
    found = "\n".join([*(f"request of {each}" for each in server.ranges), *lines])
    assert re.sub(r"broke: .*\)", "broke: CAUSE", found) == snapshot
    if name == "whole":
        assert shares == sorted(shares)
        assert shares[-1] == 1.0


def test_a_second_program_is_refused(dataset: Dataset) -> None:
    leave_part(dataset, b"x")
    with dataset.part_path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(DownloadError, match="Another program"):
            fetch(dataset, checked_url(NOWHERE), IGNORED)
    assert dataset.part_path.read_bytes() == b"x"


def test_a_folder_that_can_not_be_written_and_a_full_disk_are_reported_and_the_part_is_kept(
    dataset: Dataset, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "data").write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(StorageError, match="can't be written"):
        fetch(dataset, checked_url(NOWHERE), IGNORED)
    (home / "data").unlink()
    monkeypatch.setattr(os, "fsync", mock.Mock(side_effect=OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))))
    with serving(serve(CONTENT)) as server, pytest.raises(StorageError, match="No space left on device"):
        fetch(dataset, checked_url(server.url), IGNORED)
    assert dataset.part_path.stat().st_size == SIZE
    assert not dataset.path.exists()


def test_only_web_addresses_and_known_data_sets_are_accepted() -> None:
    for url in ("", "ftp://a/b", "file:///a", "/a.zip", "http://", "http://a:99999/", "http://\udcff/"):
        with pytest.raises(ConfigError, match="is not a web address"):
            checked_url(url)
    with pytest.raises(ConfigError) as caught:
        find_dataset("sentiment141")
    assert caught.value.hint == "Known: sentiment140."


# Hostile names --------------------------------------------------------------------------------------------------------

HOSTILE_NAMES = (
    *("../victim", "a/../../victim", "../runs/a run/latest", "a run/../../../victim", "/tmp/victim", "~/victim", ".."),
    *("", ".pinned", "a\0b", "\x1b[2J", "\u202evictim", "\ud800", "x" * 5000, "é" * 101),
)
USES: tuple[Callable[[str], object], ...] = (
    *(named_checkpoint_path, delete_checkpoint, create_run_folder, find_run, folder_of_run, find_dataset),
    lambda name: import_checkpoint(find_listed("mine"), name, replace=True),
    lambda name: rename_checkpoint("mine", name),
    lambda name: rename_checkpoint(name, "other"),
    lambda name: set_pinned(name, is_pinned=True),
    lambda name: set_pinned(name, is_pinned=False),
    lambda name: check(RunConfig(run_name=name)),
    lambda name: RunConfig(preset=name),
    lambda name: RunConfig(settings={name: 1}),
)


def tree(folder: Path) -> dict[Path, bytes | None]:
    """Return all files and folders with the files' content."""
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.fixture
def around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The parent of a data folder that has a checkpoint and a run; other files are around it."""
    around = tmp_path / "around"
    data = around / "data"
    (data / "checkpoints").mkdir(parents=True)
    monkeypatch.setenv("TWEETGEN_HOME", str(data))
    monkeypatch.setenv("HOME", str(around))
    monkeypatch.chdir(around)
    write_checkpoint(named_checkpoint_path("mine"))
    run = create_run_folder("a run")
    run.config_path.write_text("{}")
    write_checkpoint(run.checkpoint_path("latest"))
    for place in (around, data, data / "runs"):
        for name in ("victim", "latest"):
            write_checkpoint(place / f"{name}.safetensors")
    return around


def test_an_invalid_name_is_refused_and_changes_nothing(around: Path) -> None:
    before = tree(around)
    for name in HOSTILE_NAMES:
        for use in USES:
            with pytest.raises(TweetgenError):
                use(name)
        assert not is_taken(name)
    assert tree(around) == before


@pytest.mark.parametrize("run", ["../victim", "..", ".", "/tmp/victim", "a\0b", "../../elsewhere", "a run"])
def test_the_run_of_a_checkpoint_is_searched_in_the_data_folder_only(around: Path, run: str) -> None:
    (around / "elsewhere").mkdir()
    started = run_started(corpus="small.txt", vocab_size=len(SPECIALS) + len(checkpoint_info().vocab))
    journal = f"{codec.encode(started)}\n{codec.encode(tweet_sampled('stolen', 1, elapsed_seconds=0.5))}\n"
    for place in (around, around / "elsewhere", around / "data", around / "data" / "runs" / "a run"):
        (place / "events.jsonl").write_text(journal)
    write_checkpoint(named_checkpoint_path("mine"), run=run)
    [entry] = [entry for entry in iterate_checkpoints() if entry.name == "mine"]
    assert entry.problem == ""
    assert (sample_of(entry) is not None) == (run == "a run")
