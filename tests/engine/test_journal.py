"""The journal: every event that was written is read back, whatever happened to the file around it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import SamplingConfig
from engine.errors import StorageError
from engine.events import Event, Paused, SamplingChanged, to_json
from engine.journal import Journal, read_journal
from tests import strategies

ROOT = Path(__file__).parents[2]


def paused(step: int) -> Event:
    return Paused(step=step, elapsed_seconds=step / 2)


def write(path: Path, *events: Event) -> None:
    """Append events in a session of their own."""
    journal = Journal(path)
    for event in events:
        journal.write(event)
    journal.close()


@given(events=st.lists(strategies.events(), max_size=8))
def test_what_was_written_is_read_in_order(tmp_path_factory: pytest.TempPathFactory, events: list[Event]) -> None:
    path = tmp_path_factory.mktemp("journal") / "events.jsonl"
    write(path, *events)
    assert list(read_journal(path)) == events


def test_the_file_holds_the_lines_of_the_json_output(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, paused(1), paused(2))
    assert path.read_text() == f"{to_json(paused(1))}\n{to_json(paused(2))}\n"


def test_a_line_is_in_the_file_as_soon_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    journal = Journal(path)
    journal.write(paused(1))
    assert list(read_journal(path)) == [paused(1)]
    journal.close()


def test_a_killed_process_leaves_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    code = (
        "import os, sys; from pathlib import Path;"
        "from engine.journal import Journal; from engine.events import Paused;"
        "Journal(Path(sys.argv[1])).write(Paused(step=1, elapsed_seconds=0.5)); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=False, timeout=60)
    assert list(read_journal(path)) == [paused(1)]


def test_a_resumed_run_appends(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    write(path, paused(1))
    write(path, paused(2))
    assert list(read_journal(path)) == [paused(1), paused(2)]


@pytest.mark.parametrize("num_bytes", range(1, len(to_json(paused(2))) + 1, 7))
def test_a_torn_last_line_is_left_out_and_harms_no_line_after_it(tmp_path: Path, num_bytes: int) -> None:
    path = tmp_path / "events.jsonl"
    write(path, paused(1))
    torn = to_json(paused(2)).encode()[:num_bytes]
    path.write_bytes(path.read_bytes() + torn)
    before = [paused(1)] if num_bytes < len(to_json(paused(2))) else [paused(1), paused(2)]
    assert list(read_journal(path)) == before
    write(path, paused(3))
    assert list(read_journal(path)) == [*before, paused(3)]


DAMAGE = (
    b"",
    b"nonsense",
    b"\0\0\0\0\0\0",
    b"\xff\xfe\x80",
    b"[" * 100_000,
    b'{"event": ["Paused"]}',
    b'{"event": "Exploded", "step": 1}',
    b'{"event": "Paused", "step": "one", "elapsed_seconds": 1}',
    to_json(SamplingChanged(step=1, elapsed_seconds=0, sampling=SamplingConfig())).replace("0.8", "99").encode(),
)


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
def test_a_damaged_line_in_the_middle_is_left_out(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "events.jsonl"
    lines = [to_json(paused(1)).encode(), damage, to_json(paused(2)).encode(), b""]
    path.write_bytes(b"\n".join(lines))
    assert list(read_journal(path)) == [paused(1), paused(2)]


def test_a_journal_that_was_never_begun_holds_nothing(tmp_path: Path) -> None:
    assert list(read_journal(tmp_path / "events.jsonl")) == []


def test_a_journal_that_can_not_be_opened_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"events\.jsonl can't be written"):
        Journal(tmp_path / "no such folder" / "events.jsonl")
    (tmp_path / "events.jsonl").mkdir()
    with pytest.raises(StorageError, match="Is a directory"):
        Journal(tmp_path / "events.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_a_storage_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.symlink_to("/dev/full")
    journal = Journal(path)
    with pytest.raises(StorageError, match=r"events\.jsonl can't be written: No space left"):
        journal.write(paused(1))
    journal.close()
    journal.close()  # a second time there is nothing to do
