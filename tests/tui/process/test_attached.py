"""`AttachedRun`: a screen's way to a run elsewhere, whatever happens to the connection."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec import structs

from engine.config.run import RunConfig
from engine.errors import RemoteError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.events import CharChance
from engine.protocol.insight import Bands
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.journal import Journal
from tests.fakes import chars_read, run_started, steps_finished, text_traced, tweet_sampled
from tests.tui.process.host_and_client import FINISHED, PAUSED, RUN, Hosted, hosted, line_of
from tests.waiting import DEADLINE_SECONDS, wait_until
from tui.process import attached as client
from tui.process import host
from tui.process.attached import AttachedRun, read_greeting
from tui.process.protocol import MAX_CLIENT_LINE_BYTES, Greeting, Refusal, Snapshot, SnapshotEnd, encode_view, to_line
from tui.process.sockets import make_private_folder, socket_path
from tui.run.connection import Update
from tui.run.view import RunView

GREETING = to_line(
    Greeting(run=RUN, pid=1, phase="training", step=0, elapsed_seconds=0.0, best_bits_per_char=None, corpus="")
)
VIEW = to_line(Snapshot(view=encode_view(RunView()), config=RunConfig())) + to_line(SnapshotEnd())

INVALID_VIEW = b'{"message":"Snapshot","view":{},"config":{}}\n'


@contextlib.contextmanager
def attached(made: Hosted, *, is_read_only: bool = False) -> Iterator[tuple[AttachedRun, RunView]]:
    run = AttachedRun(made.folder, is_read_only=is_read_only)
    view = run.connect()
    try:
        yield run, view
    finally:
        run.leave()
        assert run.wait(DEADLINE_SECONDS)


def drained(run: AttachedRun, num_events: int) -> list[e.Event]:
    """Wait for that many events."""
    happened: list[e.Event] = []

    def has_enough() -> bool:
        happened.extend(run.drain().events)
        return len(happened) >= num_events

    wait_until(has_enough, f"{num_events} events")
    return happened


class SmallSocket(socket.socket):
    """Accepts little at once, as on macOS."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 0)


def test_a_long_command_is_sent_where_a_socket_accepts_little_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "x" * (MAX_CLIENT_LINE_BYTES - 100)
    with hosted(run_started(run=RUN)) as made:
        monkeypatch.setattr(socket, "socket", SmallSocket)
        with attached(made) as (run, _):
            run.send(c.ReadTweet(text=text))
            wait_until(lambda: made.sent, "the command")
            assert made.sent == [c.ReadTweet(text=text)]


@contextlib.contextmanager
def played(*connections: list[bytes]) -> Iterator[RunFolder]:
    """Stand in for a host: send each client in turn its lines, then close."""
    folder = folder_of_run(RUN)
    folder.path.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder.journal_path)
    path = socket_path(folder)
    make_private_folder(path.parent)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    listener.settimeout(DEADLINE_SECONDS)

    def serve() -> None:
        for number, lines in enumerate(connections, start=1):
            connection, _ = listener.accept()
            with connection:
                with contextlib.suppress(OSError):
                    for line in lines:
                        connection.sendall(line)
                if number == len(connections):  # the run is over before the client notices the end and connects again
                    journal.close()
                    listener.close()

    server = threading.Thread(target=serve)
    server.start()
    try:
        yield folder
    finally:
        server.join()
        path.unlink(missing_ok=True)


def update_at_end(folder: RunFolder) -> Update:
    """Connect to a run, and return all that has arrived once the connection has ended for good."""
    run = AttachedRun(folder)
    run.connect()
    assert run.wait(DEADLINE_SECONDS)
    return run.drain()


def test_a_client_gets_a_snapshot_and_then_the_events_steers_the_session_and_ends_with_it() -> None:
    with hosted(run_started(run=RUN), steps_finished(1, [3.0, 2.0]), tweet_sampled("hello", 2)) as made:
        wait_until(lambda: made.host._view.num_tweets)  # the events may be handled one by one
        with attached(made) as (run, view):
            assert (view.step, view.phase, [each.text for each in view.tweets]) == (2, "training", ["hello"])
            assert len(view.train_losses) == 2
            assert run.config == RunConfig(run_name=RUN)
            assert (run.host_pid, run.is_remote, run.is_alive) == (os.getpid(), True, True)
            assert run.drain() == Update()
            made.emit(PAUSED)
            assert drained(run, 1) == [PAUSED]
            run.send(c.Pause())
            run.stop("enough")
            wait_until(lambda: len(made.sent) == 2)
            assert made.sent == [c.Pause(), c.Stop(reason="enough")]
            made.emit(FINISHED)
            assert drained(run, 1) == [FINISHED]
            assert run.wait(DEADLINE_SECONDS)
            assert not run.is_alive


def test_badges_show_how_screens_are_attached_and_a_read_only_one_sends_only_questions_that_change_nothing() -> None:
    with hosted() as made, attached(made, is_read_only=True) as (run, _):
        with attached(made) as (other, _):
            wait_until(lambda: (other.badge, run.badge) == ("attached, 2 screens", "read-only, 2 screens"))
        wait_until(lambda: run.badge == "read-only")
        for command in (c.Pause(), insight.TraceText(text="hello"), c.TakeStep(), insight.ShowBatch()):
            run.send(command)
        wait_until(lambda: len(made.sent) == 2)
        assert made.sent == [insight.TraceText(text="hello"), insight.ShowBatch()]
        made.emit(text_traced("hello"))
        assert drained(run, 1) == [text_traced("hello")]


def test_the_largest_answer_reaches_a_screen_in_one_piece() -> None:
    text = "x" * 500
    rows: Bands = ((-0.123,) * 32,) * 502
    chars = (
        structs.replace(chars_read("x", 12.345)[0], likeliest=(CharChance(char="x", probability=0.1234567),) * 8),
    ) * 501
    own = insight.OwnDraw(first=0, text=text, reached_eos=False, chars=chars, hidden_bands=rows)
    names = ("embedding_bands", "hidden_bands", "reset_bands", "update_bands", "candidate_bands")
    bands: dict[str, Any] = dict.fromkeys(names, rows)
    answer = text_traced(text, chars=chars, own=own, **bands)
    with hosted() as made, attached(made) as (run, _):
        made.emit(answer, PAUSED)
        assert drained(run, 2) == [answer, PAUSED]


def test_after_a_broken_connection_a_new_view_replaces_missed_events_and_comes_with_those_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host, "CHECK_SECONDS", 0.0)
    with hosted() as made, attached(made) as (run, _):
        made.emit(*(steps_finished(step, [2.0]) for step in range(1, 50)))
        wait_until(lambda: (greeting := read_greeting(made.folder)) and greeting.step == 49)
        shutil.rmtree(made.path.parent)  # the runtime folder, as at the end of a login session
        made.break_connections()
        wait_until(lambda: run._new_view)  # not drained: the screen is slow
        made.emit(PAUSED)
        wait_until(lambda: run._events)
        update = run.drain()
        assert update.view is not None
        assert (update.view.step, len(update.view.train_losses), update.events) == (49, 49, (PAUSED,))
        assert run.drain() == Update()
        run.send(c.Resume())
        wait_until(lambda: made.sent == [c.Resume()])


def test_an_inactive_run_or_one_without_a_usable_socket_can_not_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_CONNECT_SECONDS", 0.2)
    folder = folder_of_run(RUN)
    run = AttachedRun(folder)
    with pytest.raises(RemoteError, match="is not active") as raised:
        run.connect()
    assert f"--resume {RUN}" in raised.value.hint
    assert run.wait(DEADLINE_SECONDS)
    assert read_greeting(folder) is None
    folder.path.mkdir(parents=True)
    with contextlib.closing(Journal(folder.journal_path)):
        for mode, word in ((0o755, "only you can use"), (0o700, "can't be reached")):
            socket_path(folder).parent.chmod(mode)
            with pytest.raises(RemoteError, match=word):
                AttachedRun(folder).connect()


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ([], "does not answer"),
        ([b"{}\n"], "another version"),
        ([b'{"message":"Greeting","changed":[1]}\n'], "another version"),
        ([GREETING, INVALID_VIEW], "another version"),
        ([GREETING, to_line(Refusal(reason="The first message is not Hello.", hint="Send Hello."))], "not Hello"),
    ],
)
def test_an_invalid_greeting_is_a_remote_error(lines: list[bytes], word: str) -> None:
    with played(lines) as folder, pytest.raises(RemoteError, match=word) as raised:
        AttachedRun(folder).connect()
    assert "Traceback" not in raised.value.message


def test_the_client_reconnects_after_an_invalid_message() -> None:
    connections = [[GREETING, VIEW, junk] for junk in (b'{"event":"Fly"}\n', INVALID_VIEW, b"half a li")]
    with played(*connections, [GREETING, VIEW, line_of(FINISHED)]) as folder:
        assert update_at_end(folder).events == (FINISHED,)


def test_a_lost_run_fails_on_the_screen_with_a_hint_to_resume_unless_its_journal_has_the_end() -> None:
    with played([GREETING, VIEW, line_of(steps_finished(1, [2.0]))]) as folder:
        *_, last = update_at_end(folder).events
    assert isinstance(last, e.RunFailed)
    assert (last.step, "is not active" in last.detail, f"--resume {RUN}" in last.hint) == (1, True, True)
    with played([GREETING, VIEW]) as folder:
        with folder.journal_path.open("ab") as journal:
            journal.write(line_of(run_started(run=RUN)) + line_of(FINISHED))
        update = update_at_end(folder)
    assert update.view is not None
    assert (update.view.ended, update.events) == (FINISHED, ())


def test_leaving_ends_the_connection_and_not_the_run_even_with_a_full_command_queue() -> None:
    with hosted(num_waiting=lambda: 1000) as made:
        with attached(made) as (run, _):
            for _ in range(40):
                run.send(c.CompleteText(text="x" * 60_000))
        assert made.sent == []
        assert read_greeting(made.folder) is not None


def test_leaving_during_the_connection_setup_ends_the_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = client.connected

    @contextlib.contextmanager
    def left_meanwhile(*arguments: Any) -> Iterator[Any]:
        with connected(*arguments) as answer:
            run.leave()
            yield answer

    monkeypatch.setattr(client, "connected", left_meanwhile)
    with hosted() as made:
        run = AttachedRun(made.folder)
        with pytest.raises(RemoteError):
            run.connect()
        assert run.wait(DEADLINE_SECONDS)
