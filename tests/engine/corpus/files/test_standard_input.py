"""Standard input is saved under the hash of its content, completely or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import threading
from pathlib import Path

import pytest

from engine.corpus.files import standard_input
from engine.corpus.files.standard_input import save_stream, shown_path, with_saved_streams
from engine.errors import CorpusError

TEXT = b"hello there\n" * 1000


class Failing(io.BytesIO):
    """A stream that breaks after its first bytes."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(TEXT)
        self.error = error

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            raise self.error
        return super().read(10)


def test_a_stream_is_saved_under_the_hash_of_its_content(tmp_path: Path) -> None:
    path = save_stream(io.BytesIO(TEXT), tmp_path / "new" / "folder")
    assert path.read_bytes() == TEXT
    assert path.name == f"standard-input-{hashlib.sha256(TEXT).hexdigest()}"
    assert shown_path(path) == "standard input"
    assert shown_path(Path("some/file.txt")) == "some/file.txt"


@pytest.mark.parametrize(
    ("stream", "raised", "message"),
    [
        (io.BytesIO(), CorpusError, "Standard input is empty"),
        (io.BytesIO(TEXT + b"x"), CorpusError, "Standard input has more than"),
        (Failing(OSError(5, "Input/output error")), CorpusError, "Input/output error"),
        (Failing(KeyboardInterrupt()), KeyboardInterrupt, None),
    ],
)
def test_a_stream_that_is_empty_too_long_or_broken_leaves_no_file(
    tmp_path: Path,
    stream: io.BytesIO,
    raised: type[BaseException],
    message: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(standard_input, "MAX_STREAM_BYTES", len(TEXT))
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
