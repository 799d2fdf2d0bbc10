"""The host sends every client every event once, whichever client stalls, and never delays or harms the session.

Only the user can access its socket.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import stat
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.config.run import RunConfig
from engine.errors import StorageError
from engine.protocol import commands as c
from engine.protocol import insight
from engine.storage.folders import RunFolder
from tests.fakes import change, run_started, steps_finished, tweet_sampled
from tests.recorded_runs import write_run
from tests.tui.conftest import wait_until as wait_async
from tests.tui.process.host_and_client import FINISHED, HELLO, PAUSED, RUN, Hosted, RawClient, hosted, line_of
from tests.waiting import wait_until
from tui.process import host
from tui.process.attached import read_greeting
from tui.process.host import Client
from tui.process.protocol import Hello, Refusal, decode_view, to_line
from tui.process.sockets import make_private_folder, runtime_folder, socket_path
from tui.run.view import RunView


def reason_in(received: list[dict[str, object]]) -> object:
    """Return the reason of a refusal, which is the last message."""
    assert received[-1]["message"] == "Refusal"
    return received[-1]["reason"]


def view_in(received: list[dict[str, object]]) -> RunView:
    """Return the last view sent."""
    views = [line["view"] for line in received if line.get("message") == "Snapshot"]
    return decode_view(views[-1])  # type: ignore[arg-type] # JSON


def assert_serves(made: Hosted) -> None:
    """Make sure that a host still does all that it is for."""
    assert made.host.problem == ""
    with made.attached() as client:
        made.emit(PAUSED)
        assert client.receive()["event"] == "Paused"
        before = len(made.sent)
        client.send(line_of(c.Resume()))
        wait_until(lambda: len(made.sent) > before, "the command")


def test_sockets_and_their_folders_are_for_the_user_only_and_a_folder_of_others_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = Path(tempfile.mkdtemp(dir=os.environ["XDG_RUNTIME_DIR"]))  # of a short path
    before = os.umask(0)
    try:
        make_private_folder(folder / "above/own")
        make_private_folder(folder / "above/own")
        with hosted() as made:
            paths = (folder / "above", folder / "above/own", made.path.parent, made.path)
            assert [stat.S_IMODE(path.lstat().st_mode) for path in paths] == [0o700, 0o700, 0o700, 0o600]
    finally:
        os.umask(before)
    (folder / "open").mkdir()
    (folder / "open").chmod(0o701)
    (folder / "link").symlink_to(folder / "above")
    (folder / "file").touch()
    user = os.getuid()
    for name, owner in (("open", user), ("link", user), ("file", user), ("above/own", user + 1)):
        monkeypatch.setattr(os, "getuid", lambda owner=owner: owner)
        with pytest.raises(StorageError, match="only you can use") as raised:
            make_private_folder(folder / name)
        assert "XDG_RUNTIME_DIR" in raised.value.hint


@pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="the system does not report whose process connects")
def test_a_process_of_another_user_is_refused_before_the_greeting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "CHECK_SECONDS", math.inf)  # or it may find that its folder is another user's
    with hosted() as made:
        user = os.getuid()
        with monkeypatch.context() as patched:
            patched.setattr(os, "getuid", lambda: user + 1)
            with RawClient(made.path) as client:
                refusal = to_line(Refusal(reason="Only processes of the user who runs it may connect."))
                assert client.socket.recv(4096) == refusal
        assert_serves(made)


def test_runs_of_any_path_have_sockets_of_short_different_names_and_the_same_under_every_path(tmp_path: Path) -> None:
    names = [socket_path(RunFolder(tmp_path / name)) for name in ("a", "b", "x" * 200, "a\nb \u202e")]
    assert len(set(names)) == 4
    assert all(len(os.fsencode(name.name)) == 29 and name.parent == runtime_folder() for name in names)
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    assert socket_path(RunFolder(tmp_path / "link")) == names[0]


SETTING = b'{"command":"ChangeSettings","settings":{"learning_rate":%s}}\n'


def test_an_invalid_hello_or_command_is_refused_and_closes_that_connection_only() -> None:
    no_hello = (b"\n", b"GET / HTTP/1.1\r\n", b"[" * 70_000 + b"\n", HELLO.replace(b"Hello", b"SnapshotEnd"))
    no_command = {
        HELLO: "unknown command None",
        b"garbage\n": "JSON is malformed: invalid character (byte 0)",
        b'{"command":"Fly\\u001b"}\n': r"unknown command 'Fly\x1b'",
        SETTING % b"1e99": "ChangeSettings: Expected `float` <= 1e+39 - at `$.settings[...]`",
        SETTING % b"[8]": "ChangeSettings: Expected `str`, got `int` - at `$.settings[...][0]`",
        b"[" * 70_000 + b"\n": "the line is longer than 64 KiB",
        line_of(c.Stop())[:-1]: "the line has no end",
    }
    with hosted() as made:
        for line in no_hello:
            with RawClient(made.path, line) as client:
                assert reason_in(client.receive_all()) == "The first message is not Hello."
        for line, why in no_command.items():
            with made.attached() as client:
                client.send(line)
                client.socket.shutdown(socket.SHUT_WR)
                assert reason_in(client.receive_all()) == f"Invalid command: {why}."
        assert made.sent == []
        assert_serves(made)


def test_a_read_only_client_can_not_steer_and_its_questions_wait_until_the_session_has_few_commands() -> None:
    num_waiting = 4
    read_only = to_line(Hello(is_read_only=True))
    with hosted(num_waiting=lambda: num_waiting) as made, made.attached() as other:
        with made.attached(read_only) as reader:
            assert made.host.num_clients == 1
            reader.send(line_of(c.Stop()))
            assert reason_in(reader.receive_all()) == "This connection is read-only."
        with RawClient(made.path, read_only) as reader:
            reader.send(line_of(insight.MapEmbeddings()))
            other.send(line_of(c.Pause()))
            wait_until(lambda: made.sent, "the command of the other client")
            assert made.sent == [c.Pause()]
            num_waiting = 3
            wait_until(lambda: len(made.sent) == 2, "the question")
        assert made.sent[1] == insight.MapEmbeddings()


def test_commands_wait_for_a_busy_session_also_those_of_a_client_that_is_gone_except_a_stop() -> None:
    num_waiting, commands = 1000, [change(batch_size=size) for size in range(1, 100)]
    with hosted(num_waiting=lambda: num_waiting) as made:
        with RawClient(made.path, HELLO) as client:
            client.send(b"".join(map(line_of, commands[:2])))
            client.receive_until("SnapshotEnd")
            assert made.sent == []
            client.send(line_of(c.Stop()))
            wait_until(lambda: made.sent == [*commands[:2], c.Stop()], "the stop, and what came before it")
            made.sent.clear()
            client.send(b"".join(map(line_of, commands)) + line_of(c.Stop())[:-1])
            wait_until(lambda: sum(len(each._commands) for each in [*made.host._clients]) == len(commands))
        wait_until(lambda: made.host.num_clients == 0, "the end of the connection")
        assert made.sent == []
        num_waiting = 0
        wait_until(lambda: len(made.sent) == len(commands), "the commands")
        assert made.sent == commands


def test_clients_that_connect_during_a_flood_get_every_event_exactly_once() -> None:
    num_steps, clients = 0, []
    with hosted() as made:
        for _ in range(8):
            clients.append(RawClient(made.path, HELLO))
            for _ in range(200):
                num_steps += 1
                made.emit(steps_finished(num_steps, [2.0]))
        wait_until(lambda: made.host.num_clients == len(clients))
        made.emit(PAUSED)
        for client in clients:
            received = client.receive_until("Paused")
            view = view_in(received)
            assert len(view.train_losses) == view.step
            steps = [line["step"] for line in received if line.get("event") == "StepsFinished"]
            assert steps == list(range(view.step + 1, num_steps + 1))
            client.close()


Ends = tuple[socket.socket, asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    """A connection: the client's end, and the host's as a reader and a writer."""
    ours, theirs = socket.socketpair()
    with theirs:
        yield theirs, *await asyncio.open_unix_connection(sock=ours)


async def test_a_connection_that_is_read_to_its_end_at_the_deadline_is_closed_once(
    monkeypatch: pytest.MonkeyPatch, ends: Ends
) -> None:
    loop = asyncio.get_running_loop()
    theirs, reader, writer = ends
    while not writer.transport.get_write_buffer_size():
        writer.write(bytes(4096))

    def read_until_the_deadline() -> None:
        theirs.recv(1 << 21)
        now = loop.time()
        monkeypatch.setattr(loop, "time", lambda: now + 1)

    loop.call_soon(read_until_the_deadline)
    await Client(reader, writer, list, lambda _: None, lambda: 0).close()
    monkeypatch.undo()


async def test_a_client_that_reads_late_receives_why_it_is_refused(monkeypatch: pytest.MonkeyPatch, ends: Ends) -> None:
    monkeypatch.setattr(host, "_POLL_SECONDS", 0.0)
    theirs, reader, writer = ends
    connection = Client(reader, writer, lambda: [bytes(1 << 20), b"the rest"], lambda _: None, lambda: 0)

    async def serve() -> None:
        await connection.run()
        await connection.close()

    serving = asyncio.create_task(serve())
    await wait_async(writer.transport.get_write_buffer_size, "a full socket")
    num_unsent = writer.transport.get_write_buffer_size()
    theirs.sendall(b"garbage\n")
    await wait_async(lambda: serving.done() or writer.transport.get_write_buffer_size() > num_unsent, "a refusal")
    with theirs.makefile("rb") as file:
        received = await asyncio.to_thread(file.read)
    await serving
    assert b"JSON is malformed" in received[1 << 20 :]
    assert b"the rest" not in received  # the refusal is the last line


def test_a_stalled_client_has_a_bounded_queue_delays_no_other_and_gets_a_new_snapshot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host, "MAX_WAITING_BYTES", 1 << 20)
    text = "x" * 800
    with hosted() as made, made.attached() as stalled, made.attached() as other:
        number = 0
        while not any(client._is_behind for client in [*made.host._clients]):
            number += 1
            made.emit(*(tweet_sampled(text, number) for _ in range(200)))
            assert [other.receive()["step"] for _ in range(200)] == [number] * 200
        received = stalled.receive_until("Snapshot")
        received += stalled.receive_until("SnapshotEnd")
        assert view_in(received).num_tweets == number * 200
        made.emit(PAUSED)
        assert stalled.receive()["event"] == "Paused"


def leave_socket(path: Path) -> None:
    """Leave a socket as a process does that was killed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))


def test_the_socket_of_a_killed_run_is_deleted_or_replaced_and_that_of_the_next_run_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host, "CHECK_SECONDS", math.inf)  # or it may restore its own between two lines
    with hosted() as made:
        pass
    leave_socket(made.path)
    for _ in range(2):
        assert read_greeting(made.folder) is None
        assert not made.path.exists()
    leave_socket(made.path)
    with hosted() as made:
        assert_serves(made)
        made.path.unlink()
        leave_socket(made.path)
        made.emit(FINISHED)
        made.host.close()
        assert made.path.is_socket()


def test_an_exception_in_the_host_ends_only_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with hosted() as made, made.attached() as client:
        monkeypatch.setattr(host, "fold", lambda *_: 1 // 0)
        made.emit(PAUSED)
        assert client.receive_all() == []
        wait_until(lambda: made.host.problem.startswith("ZeroDivisionError"))
        made.emit(*(tweet_sampled("kept nowhere") for _ in range(100)))
        made.host.close()
        assert "ZeroDivisionError" in made.folder.log_path.read_text()
        assert not made.path.exists()


def test_the_reason_why_no_client_can_attach_is_reported_and_events_are_still_handled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = host.Host(RunConfig(), lambda _: None, lambda: 0)
    made.handle(run_started(run="../up"))
    made.handle(PAUSED)
    assert "ConfigError" in made.problem
    made.close()
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.environ["XDG_RUNTIME_DIR"] + "/" + "x" * 100)
    Path(os.environ["XDG_RUNTIME_DIR"]).mkdir(mode=0o700)
    made = host.Host(RunConfig(), lambda _: None, lambda: 0)
    made.handle(run_started(run=RUN))
    wait_until(lambda: "too long a path" in made.problem)
    assert "Set XDG_RUNTIME_DIR to a shorter folder." in made.problem
    made.handle(FINISHED)
    made.close()


def test_a_client_that_does_not_read_does_not_delay_the_end_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "CLOSING_SECONDS", 0.1)
    monkeypatch.setattr(host, "STALLED_SECONDS", math.inf)
    with hosted() as made, made.attached():
        made.emit(*(tweet_sampled("x" * 800, 7) for _ in range(1000)), FINISHED)
        wait_until(lambda: not made.path.exists())  # removed last


def test_a_client_of_a_resumed_run_gets_its_history_exactly_once(home: Path) -> None:
    again = (run_started(run=RUN, step=40, resumed_from=f"{RUN}/latest"), steps_finished(41, [2.0]))
    before = (run_started(run=RUN), steps_finished(1, [2.0] * 40), tweet_sampled("before", 30), FINISHED)
    write_run(home, [*before, *again], RUN)
    with hosted(*again) as made:
        wait_until(lambda: (greeting := read_greeting(made.folder)) and greeting.step == 41)
        with RawClient(made.path, HELLO) as client:
            received = client.receive_until("SnapshotEnd")
    view = view_in(received)
    assert (view.step, len(view.train_losses), view.num_tweets) == (41, 41, 1)
    assert (view.phase, view.ended) == ("training", None)
    assert [line["tweets"][0]["text"] for line in received if line.get("message") == "TweetChunk"] == ["before"]
