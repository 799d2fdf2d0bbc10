"""The host tells everybody everything once, whoever stalls, and never holds up or harms the session."""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine import commands as c
from engine import events as e
from engine.config import RunConfig
from engine.folders import folder_of_run
from engine.journal import Journal
from engine.versions import installed_version
from tests.fakes import FakeClock, run_started, steps_finished, tweet
from tests.tui.remote_ends import FINISHED, HELLO, RUN, Hosted, Speaker, hosted, num_descriptors, until
from tui.remote import doorway, host, watcher
from tui.remote.live_runs import connected
from tui.remote.protocol import PROTOCOL, Hello, Refusal, to_line
from tui.remote.view_form import view_of
from tui.run_view import RunView

PAUSED = e.Paused(step=5, elapsed_seconds=0.5)


def one_step(step: int) -> e.StepsFinished:
    return steps_finished(step, [2.0])


def reason_in(heard: list[dict[str, object]]) -> object:
    """Return what the last line says against one who is refused."""
    assert heard[-1]["message"] == "Refusal"
    return heard[-1]["reason"]


def view_in(heard: list[dict[str, object]]) -> RunView:
    """Return the last view that is told."""
    told = [line["view"] for line in heard if line.get("message") == "ViewTold"]
    return view_of(told[-1])  # type: ignore[arg-type] # JSON


def commands_line(command: c.Command) -> bytes:
    return c.to_json(command).encode() + b"\n"


def test_a_greeting_says_which_protocol_and_version_it_is_and_how_the_run_stands() -> None:
    with hosted(run_started(run=RUN), one_step(1)) as made:
        until(lambda: made.host._view.step == 1)
        with Speaker(made.path, HELLO) as other:
            other.hear_until("CaughtUp")
            with Speaker(made.path) as speaker:
                heard = speaker.hear()
    assert heard == {
        "message": "Greeting",
        "protocol": PROTOCOL,
        "version": installed_version("tweetgen-tui"),
        "run": RUN,
        "pid": os.getpid(),
        "phase": "training",
        "step": 1,
        "elapsed_seconds": one_step(1).elapsed_seconds,
        "best_bits_per_char": None,
        "num_watchers": 1,
    }


def test_the_socket_is_for_the_user_alone() -> None:
    with hosted() as made:
        assert made.path.lstat().st_mode & 0o777 == 0o600
        assert made.path.parent.lstat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be another user")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # the child does nothing that needs a lock
def test_a_process_of_another_user_is_refused_even_where_it_gets_at_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorway, "LOOK_SECONDS", 1000.0)
    with hosted() as made:
        path = made.path
        for each in (path.parent.parent, path.parent, path):
            each.chmod(0o777)
        try:
            heard = heard_by(65534, path)
        finally:
            for each in (path.parent.parent, path.parent):
                each.chmod(0o700)
    assert b"another user's" in heard
    assert b"Greeting" not in heard


def heard_by(user: int, path: Path) -> bytes:
    """Return what a process of another user hears at a socket."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.setuid(user)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(str(path))
        os.write(writing, connection.recv(10_000))
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as said:
        heard = said.read()
    os.waitpid(child, 0)
    return heard


@pytest.mark.parametrize("protocol", [2, 0, -1, 2**62, "1", None, "\x1b[31m"])
def test_one_of_another_protocol_is_told_which_one_the_run_speaks(protocol: object) -> None:
    hello = json.dumps({"message": "Hello", "protocol": protocol, "from the future": [1]}).encode() + b"\n"
    with hosted() as made, Speaker(made.path, hello) as speaker:
        reason = str(reason_in(speaker.hear_to_the_end()))
    assert f"speaks protocol {PROTOCOL}" in reason
    assert "\x1b" not in reason


@pytest.mark.parametrize(
    "said",
    [
        b"\n",
        b"GET / HTTP/1.1\r\n",
        b"\xff\xfe\x00\n",
        b"[" * 60_000 + b"\n",
        b'{"message":"Hello","protocol":1,"x":' + b"[" * 700 + b"]" * 700 + b"}\n",
        b"null\n",
        b"7\n",
        b'{"message":"Greeting","protocol":1}\n',
        b'{"message":["Hello"],"protocol":1}\n',
        b'{"message":"Hello","protocol":1,"is_read_only":"yes"}\n',
        b'{"event":"Paused","step":1,"elapsed_seconds":1.0,"protocol":1}\n',
        to_line(Refusal(reason="no")),
    ],
)
def test_what_is_no_hello_is_refused(said: bytes) -> None:
    with hosted() as made, Speaker(made.path, said) as speaker:
        heard = speaker.hear_to_the_end()
        assert [line["message"] for line in heard] == ["Greeting", "Refusal"]
        assert_serves(made)


def assert_serves(made: Hosted) -> None:
    """Make sure that a host still does all that it is for."""
    assert made.host.problem == ""
    with Speaker(made.path, HELLO) as speaker:
        speaker.hear_until("CaughtUp")
        made.play(PAUSED)
        assert speaker.hear()["event"] == "Paused"
        before = len(made.sent)
        speaker.say(commands_line(c.Resume()))
        until(lambda: len(made.sent) > before, "the command")


@pytest.mark.parametrize(
    "said",
    [
        HELLO,
        b"{}\n",
        b"garbage\n",
        b"\x00\xff" * 900 + b"\n",
        b'{"command":"Fly"}\n',
        b'{"command":"SetLearningRate","learning_rate":NaN}\n',
        b'{"command":"SetLearningRate","learning_rate":1e999}\n',
        b'{"command":"SetBatchSize","batch_size":1e400}\n',
        b'{"command":"SetBatchSize","batch_size":"8"}\n',
        b'{"command":"SetSampling","sampling":{"temperature":-1}}\n',
        b'{"command":"SetSampling","sampling":{"prime":"\\u001b[2J"}}\n',
        b'{"command":"SampleNow","prime":' + b"[" * 900 + b"\n",
        b'{"command":"Pause","x":' + b"[" * 600 + b"]" * 600 + b"}\n",
    ],
)
def test_what_is_no_command_is_refused_and_ends_the_connection(said: bytes) -> None:
    with hosted() as made, Speaker(made.path, HELLO) as speaker:
        speaker.hear_until("CaughtUp")
        speaker.say(said)
        assert reason_in(speaker.hear_to_the_end()) == "That was no command."
        assert made.sent == []
        assert_serves(made)


def test_half_a_command_of_one_who_goes_is_none() -> None:
    with hosted() as made:
        with Speaker(made.path, HELLO) as speaker:
            speaker.hear_until("CaughtUp")
            speaker.say(commands_line(c.Stop())[:-1])
        until(lambda: made.host.num_watchers == 0)
        assert_serves(made)
    assert made.sent == [c.Resume()]


def test_commands_are_handed_on_in_order() -> None:
    wishes: list[c.Command] = [
        c.Pause(),
        c.SetBatchSize(batch_size=8),
        c.SetLearningRate(learning_rate=0.1),
        c.Resume(),
        c.Stop(),
    ]
    with hosted() as made, Speaker(made.path, HELLO) as speaker:
        speaker.say(b"".join(map(commands_line, wishes)))
        until(lambda: len(made.sent) == len(wishes))
    assert made.sent == wishes


def test_one_who_came_to_watch_only_cannot_steer_whatever_it_sends() -> None:
    with hosted() as made, Speaker(made.path, to_line(Hello(is_read_only=True))) as speaker:
        speaker.hear_until("CaughtUp")
        assert made.host.num_watchers == 0
        speaker.say(commands_line(c.Stop()))
        assert reason_in(speaker.hear_to_the_end()) == "This connection may only watch."
    assert made.sent == []


def test_commands_are_taken_no_faster_than_the_session_follows_them() -> None:
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    folder_holder: list[Hosted] = []

    def num_waiting() -> int:
        return len(folder_holder[0].sent) - inbox.qsize() if folder_holder else 0

    with hosted(num_waiting=num_waiting) as made, Speaker(made.path, HELLO) as speaker:
        folder_holder.append(made)
        flood = threading.Thread(
            target=lambda: speaker.say_as_far_as_it_goes(commands_line(c.Pause()) * 100, 1000), daemon=True
        )
        flood.start()
        until(lambda: len(made.sent) == watcher.MAX_COMMANDS_WAITING)
        with Speaker(made.path, HELLO) as other:  # the host is not kept from anything
            other.hear_until("CaughtUp")
        assert len(made.sent) == watcher.MAX_COMMANDS_WAITING
        for _ in range(10):
            inbox.put(c.Pause())
        until(lambda: len(made.sent) == watcher.MAX_COMMANDS_WAITING + 10)
        speaker.socket.shutdown(socket.SHUT_RDWR)
        flood.join()


def test_who_comes_in_the_middle_of_a_flood_loses_nothing_and_hears_nothing_twice() -> None:
    enough, num_steps = threading.Event(), 0
    with hosted() as made:

        def flood() -> None:
            nonlocal num_steps
            while not enough.is_set():
                made.play(*(one_step(step) for step in range(num_steps + 1, num_steps + 6)))
                num_steps += 5
                time.sleep(0.001)  # the pace of a session, not a wait

        session = threading.Thread(target=flood)
        session.start()
        speakers = []
        for _ in range(8):
            before = made.host._view.step
            until(lambda: made.host._view.step > before)  # noqa: B023 - it is called in this round
            speakers.append(Speaker(made.path, HELLO))
        for speaker in speakers:
            speaker.hear_until("Greeting")
        enough.set()
        session.join()
        made.play(FINISHED)
        began_at = []
        said = [speaker.take_to_the_end() for speaker in speakers]
        for speaker, data in zip(speakers, said, strict=True):
            heard = [json.loads(line) for line in data.splitlines()]
            told = [line for line in heard if line.get("event") == "StepsFinished"]
            view = view_in(heard)
            began_at.append(view.step)
            assert len(view.train_losses) == view.step
            assert [line["step"] for line in told] == list(range(view.step + 1, num_steps + 1))
            assert heard[-1]["event"] == "RunFinished"
            speaker.close()
    assert len(set(began_at)) > 3


def test_one_who_never_reads_is_bounded_holds_nobody_up_and_is_brought_to_the_present() -> None:
    text = "x" * 800
    with hosted() as made, Speaker(made.path, HELLO) as stalled, Speaker(made.path, HELLO) as other:
        for each in (stalled, other):
            each.hear_until("CaughtUp")
        seconds: list[float] = []
        waiting: list[int] = []
        for number in range(1, 21):
            before = time.perf_counter()
            made.play(*(tweet(text, number) for _ in range(400)))
            seconds.append((time.perf_counter() - before) / 400)
            assert [other.hear()["step"] for _ in range(400)] == [number] * 400
            waiting = [each.num_waiting_bytes for each in list(made.host._watchers)]
            assert max(waiting) < 2 * watcher.MAX_WAITING_BYTES  # and what happened within two ticks
        assert sorted(seconds)[10] < 0.001
        assert max(waiting) > watcher.MAX_WAITING_BYTES // 2
        heard = stalled.hear_until("ViewTold")
        heard += stalled.hear_until("CaughtUp")
        assert view_in(heard).num_tweets == 20 * 400
        made.play(PAUSED)
        assert stalled.hear()["event"] == "Paused"


def test_one_who_takes_nothing_for_long_is_let_go_and_may_come_again() -> None:
    clock = FakeClock()
    with hosted(clock=clock) as made, Speaker(made.path, HELLO) as stalled:
        stalled.hear_until("CaughtUp")
        made.play(*(tweet("x" * 100, 7) for _ in range(9000)))
        until(lambda: made.host._watchers[0].num_waiting_bytes)
        until(lambda: len(made.host._watchers) == 1)
        for _ in range(3):
            clock.advance(watcher.STALLED_SECONDS / 2 - 1)
            made.play(PAUSED)
            ticked(made)
        assert made.host.num_watchers == 0
        assert len(stalled.hear_to_the_end()) < 9000
        assert_serves(made)


def ticked(made: Hosted) -> None:
    """Wait until the host has gone round twice."""
    for _ in range(2):
        until(made.host._events.empty)
        time.sleep(1.5 * host.TICK_SECONDS)


def test_one_who_reads_slowly_is_not_let_go() -> None:
    clock = FakeClock()
    with hosted(clock=clock) as made, Speaker(made.path, HELLO) as slow:
        slow.hear_until("CaughtUp")
        made.play(*(tweet("x" * 100, 7) for _ in range(9000)))
        until(lambda: made.host._watchers[0].num_waiting_bytes)
        for _ in range(3):
            clock.advance(watcher.STALLED_SECONDS - 1)
            slow.socket.recv(300_000)
            ticked(made)
        assert made.host.num_watchers == 1


def test_those_who_vanish_leave_nothing_behind() -> None:
    with hosted() as made:
        assert_serves(made)
        until(lambda: not made.host._connections)
        before = num_descriptors()
        for lines in ([], [b'{"mess'], [HELLO], [HELLO, commands_line(c.Pause())[:5]]):
            for _ in range(10):
                Speaker(made.path, *lines).close()
        until(lambda: not made.host._connections)
        until(lambda: num_descriptors() == before)
        made.play(PAUSED)
        assert_serves(made)


def test_those_who_say_nothing_are_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "HELLO_SECONDS", 0.1)
    with hosted() as made:
        speakers = [Speaker(made.path, *lines) for lines in ([], [b"{"])]
        assert [reason_in(speaker.hear_to_the_end()) for speaker in speakers] == ["That was no hello."] * 2
        until(lambda: not made.host._connections)
        for speaker in speakers:
            speaker.close()


@pytest.mark.parametrize("is_known", [False, True])
def test_a_line_without_an_end_is_cut_off(*, is_known: bool) -> None:
    with hosted() as made, Speaker(made.path, *([HELLO] if is_known else [])) as speaker:
        if is_known:
            speaker.hear_until("CaughtUp")
        taken = speaker.say_as_far_as_it_goes(b"x" * 65_536, 16_384)
        assert taken < 4 * 1024 * 1024
        assert_serves(made)


def test_ten_thousand_connections_one_after_the_other_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorway, "PACE_SECONDS", 0.0)
    with hosted() as made:
        assert_serves(made)
        until(lambda: not made.host._connections)
        before = num_descriptors()
        for _ in range(10_000):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.connect(str(made.path))
        until(lambda: num_descriptors() == before)
        assert_serves(made)


def test_as_many_connections_as_there_are_descriptors_take_few_of_the_hosts() -> None:
    with hosted() as made:
        assert_serves(made)
        until(lambda: not made.host._connections)
        before = num_descriptors()
        connections = []
        for _ in range(600):
            connections.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            connections[-1].settimeout(10)
            until(lambda: connections[-1].connect_ex(str(made.path)) == 0)  # the queue may be full
            # and the one that is being turned away
            assert num_descriptors() - before - len(connections) <= host.MAX_CONNECTIONS + 1
        last = connections[-1].makefile("rb")
        assert b"Too many are connected" in last.read()
        last.close()
        for connection in connections:
            connection.close()
        until(lambda: not made.host._connections)
        assert_serves(made)


def test_a_session_goes_on_where_no_descriptor_is_left_for_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int, __: int) -> socket.socket:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as broken:
        broken.setattr(doorway, "socket", SimpleNamespace(socket=full, AF_UNIX=None, SOCK_STREAM=None))
        made = host.Host(RunConfig(), lambda _: None, lambda: 0)
        made.take(run_started(run=RUN))
        until(lambda: "Too many open files" in made.problem)
    until(lambda: made.problem == "", "another try")
    made.close()


def test_a_runtime_folder_that_was_taken_away_is_made_again() -> None:
    with hosted() as made, Speaker(made.path, HELLO) as speaker:
        speaker.hear_until("CaughtUp")
        shutil.rmtree(made.path.parent)
        with connected(made.folder, 10.0) as (_, greeting, _):
            assert greeting.run == RUN
        made.play(PAUSED)
        assert speaker.hear()["event"] == "Paused"
        assert_serves(made)
    assert not made.path.exists()


def test_a_socket_that_another_file_was_put_in_place_of_is_made_again() -> None:
    with hosted() as made:
        made.path.unlink()
        made.path.write_text("not a socket")
        until(made.is_reachable, "the socket")
        assert_serves(made)


def test_a_socket_left_behind_by_a_process_that_was_killed_is_taken_over(home: Path) -> None:
    code = (
        "import os, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen();"
        "os.kill(os.getpid(), 9)"
    )
    with hosted() as made:
        path = made.path
    assert subprocess.run([sys.executable, "-c", code, path], check=False).returncode == -9
    assert path.is_socket()
    with hosted() as made:
        assert_serves(made)


def test_an_ended_host_leaves_the_socket_of_the_next_one_alone() -> None:
    with hosted() as made:
        made.path.unlink()
        other = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        other.bind(str(made.path))
        made.play(FINISHED)
        made.host.close()
        assert made.path.is_socket()
        other.close()
        made.path.unlink()


def test_a_mistake_in_the_host_ends_nothing_but_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> RunView:
        raise ZeroDivisionError("a bug")

    with hosted() as made, Speaker(made.path, HELLO) as speaker:
        speaker.hear_until("CaughtUp")
        monkeypatch.setattr(host, "fold", broken)
        made.play(PAUSED)
        assert speaker.hear_to_the_end() == []
        until(lambda: made.host.problem)
        made.play(*(tweet("kept nowhere") for _ in range(100)))
        assert made.host._events.qsize() == 0
        assert made.host.problem == "ZeroDivisionError: a bug"
        made.host.close()
        assert "ZeroDivisionError: a bug" in made.folder.log_path.read_text()
        assert not made.path.exists()


def test_a_mistake_in_one_connection_ends_that_one(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with hosted() as made:
        with monkeypatch.context() as broken:
            broken.setattr(watcher, "protocol_in", lambda _: 1 // 0)
            with Speaker(made.path, HELLO) as speaker:
                assert len(speaker.hear_to_the_end()) == 1
        until(lambda: made.folder.log_path.exists() and "ZeroDivisionError" in made.folder.log_path.read_text())
        assert_serves(made)
    assert capfd.readouterr().err == ""


def test_a_run_that_cannot_be_hosted_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    made = host.Host(RunConfig(), lambda _: None, lambda: 0)
    made.take(run_started(run="../up"))
    made.take(PAUSED)
    assert "ConfigError" in made.problem
    made.close()


def test_where_the_runtime_folder_cannot_be_used_the_reason_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.environ["XDG_RUNTIME_DIR"] + "/" + "x" * 100)
    Path(os.environ["XDG_RUNTIME_DIR"]).mkdir(mode=0o700)
    made = host.Host(RunConfig(), lambda _: None, lambda: 0)
    made.take(run_started(run=RUN))
    until(lambda: "too long a path" in made.problem)
    made.take(FINISHED)
    made.close()


def test_at_the_end_of_the_run_all_hear_the_last_event_and_the_socket_is_gone() -> None:
    with hosted() as made, Speaker(made.path, HELLO) as one, Speaker(made.path, HELLO) as other:
        for each in (one, other):
            each.hear_until("CaughtUp")
        made.play(*(one_step(step) for step in range(1, 500)), FINISHED)
        made.host.close()
        for each in (one, other):
            heard = each.hear_to_the_end()
            assert (len(heard), heard[-1]["event"]) == (500, "RunFinished")
        assert not made.path.exists()
        assert not thread_of(made).is_alive()


def thread_of(made: Hosted) -> threading.Thread:
    assert made.host._thread is not None
    return made.host._thread


def test_one_who_does_not_read_does_not_keep_an_ended_run_from_its_end() -> None:
    with hosted() as made, Speaker(made.path, HELLO) as stalled:
        stalled.hear_until("CaughtUp")
        made.play(*(tweet("x" * 100, 7) for _ in range(9000)), FINISHED)
        began = time.monotonic()
        made.host.close()
        assert time.monotonic() - began < 2 * host.LAST_WORD_SECONDS + 0.5
        until(lambda: not thread_of(made).is_alive())


def test_who_comes_to_a_resumed_run_hears_of_the_time_before_and_nothing_twice() -> None:
    earlier: list[e.Event] = [
        run_started(run=RUN),
        *(one_step(step) for step in range(1, 41)),
        tweet("before", 30),
        FINISHED,
    ]
    started = run_started(run=RUN, step=40, resumed_from=f"{RUN}/latest")
    with hosted() as made:
        folder = made.folder
    journal = Journal(folder.journal_path)
    for event in (*earlier, started):
        journal.write(event)
    journal.close()
    with hosted(started, one_step(41)) as made:
        until(lambda: made.host._view.step == 41)
        with Speaker(made.path, HELLO) as speaker:
            heard = speaker.hear_until("CaughtUp")
    view = view_in(heard)
    assert (view.step, len(view.train_losses), view.num_tweets) == (41, 41, 1)
    assert (view.phase, view.ended) == ("training", None)
    assert [line["tweets"][0]["text"] for line in heard if line.get("message") == "TweetsTold"] == ["before"]


def test_a_run_whose_folder_is_another_one_now_is_found_by_its_new_name() -> None:
    names: list[str] = []
    with hosted() as made, Speaker(made.path, HELLO) as speaker:
        speaker.hear_until("CaughtUp")
        made.host._on_run = names.append
        old, made.folder = made.path, folder_of_run("watched-2")
        made.folder.path.mkdir()
        path = str(made.folder.checkpoint_path("latest"))
        made.play(e.CheckpointSaved(step=1, elapsed_seconds=1.0, name="latest", path=path, bits_per_char=None))
        until(made.is_reachable, "the socket")
        with Speaker(made.path) as other:
            assert other.hear()["run"] == "watched-2"
        assert not old.exists()
        assert names == ["watched-2"]
        made.play(PAUSED)
        assert speaker.hear_until("Paused")
    assert not made.path.exists()
