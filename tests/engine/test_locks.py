"""Two programs never write one run: the lock outlives no process, and holds on file systems that have none."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine import locks
from engine.errors import StorageError
from engine.events import Paused
from engine.journal import Journal, is_in_use, read_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "runs" / "tiny"
    folder.mkdir(parents=True)
    return folder / "events.jsonl"


@contextmanager
def another_process(does: Callable[[], object]) -> Iterator[int]:
    """Let a forked process do something and then wait; gives its id once that is done, and kills it at the end."""
    ready, done = os.pipe()
    process_id = os.fork()
    if not process_id:
        try:
            kept = does()
            os.write(done, b"x")
            while kept is not None:
                signal.pause()
        finally:
            os._exit(0)
    os.close(done)
    try:
        assert os.read(ready, 1) == b"x"
        yield process_id
    finally:
        os.close(ready)
        os.kill(process_id, signal.SIGKILL)
        os.waitpid(process_id, 0)


def test_a_killed_process_holds_nothing(path: Path) -> None:
    with another_process(lambda: Journal(path)):
        assert is_in_use(path)
        with pytest.raises(StorageError, match="open in another program"):
            Journal(path)
    assert not is_in_use(path)
    Journal(path).close()


def test_a_forked_child_that_outlives_its_parent_holds_nothing(path: Path) -> None:
    journal = Journal(path)
    with another_process(os.getpid):
        assert is_in_use(path)
        journal.close()  # as when the parent dies: its descriptors are closed, the child's are not
        assert not is_in_use(path)


def test_a_forked_child_takes_nothing_from_its_parent(path: Path) -> None:
    journal = Journal(path)
    with another_process(os.getpid):
        pass
    assert is_in_use(path)
    journal.write(Paused(step=1, elapsed_seconds=1.0))
    journal.close()
    assert list(read_journal(path)) == [Paused(step=1, elapsed_seconds=1.0)]


def test_a_program_that_is_started_inherits_nothing(path: Path) -> None:
    journal = Journal(path)
    assert not any(os.get_inheritable(number) for number in (journal._descriptor, journal._folder_descriptor))
    journal.close()


def test_a_look_at_the_lock_keeps_nobody_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.touch()
    looker = path.open("rb")
    fcntl.flock(looker, fcntl.LOCK_SH)
    monkeypatch.setattr("engine.locks.time.sleep", lambda _: looker.close())
    Journal(path).close()
    assert looker.closed


def test_a_file_that_was_replaced_while_it_was_locked_is_opened_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = locks.take
    taken: list[int] = []

    def replaced(descriptor: int, at: Path) -> None:
        take(descriptor, at)
        if not taken:
            at.unlink()
            at.touch()
        taken.append(descriptor)

    monkeypatch.setattr(locks, "take", replaced)
    journal = Journal(path)
    assert len(taken) == 2
    assert journal.where() == "here"
    journal.close()


# File systems without locks -----------------------------------------------------------------------------------------


@pytest.fixture(params=[errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def no_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that has no locks."""

    def flock(*_: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("no_locks")
def test_where_there_are_no_locks_a_file_says_who_has_the_run(path: Path) -> None:
    journal = Journal(path)
    assert locks.owner_path(path).read_text() == f"{socket.gethostname()} {os.getpid()}\n"
    assert is_in_use(path)
    with pytest.raises(StorageError, match="open in another program"):
        Journal(path)
    journal.close()
    assert not is_in_use(path)
    assert [file.name for file in path.parent.iterdir()] == ["events.jsonl"]


@pytest.mark.usefixtures("no_locks")
def test_where_there_are_no_locks_a_killed_process_holds_nothing_either(path: Path) -> None:
    with another_process(lambda: Journal(path)):
        assert is_in_use(path)
        with pytest.raises(StorageError, match="open in another program"):
            Journal(path)
    assert locks.owner_path(path).exists()
    assert not is_in_use(path)
    Journal(path).close()


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize(("content", "counts"), [("elsewhere 1\n", True), ("who knows\n", True), ("", False)])
def test_where_there_are_no_locks_what_can_not_be_judged_counts(path: Path, content: str, counts: bool) -> None:
    path.touch()
    locks.owner_path(path).write_text(content)
    assert is_in_use(path) is counts


def test_another_error_of_the_lock_is_a_storage_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StorageError, match="Input/output error"):
        Journal(path)


@pytest.mark.usefixtures("no_locks")
@pytest.mark.parametrize("content", [b"\xff\xfe 1", b"elsewhere " + b"9" * 5000, b"\x00" * 10_000])
def test_nothing_that_an_owners_file_says_is_more_than_a_word(path: Path, content: bytes) -> None:
    path.touch()
    locks.owner_path(path).write_bytes(content)
    is_in_use(path)
    locks.let_go(path)
    assert locks.owner_path(path).exists()


def test_a_pipe_in_place_of_an_owners_file_holds_nobody_up(path: Path) -> None:
    os.mkfifo(locks.owner_path(path))
    Journal(path).close()
    assert locks.owner_path(path).exists()
