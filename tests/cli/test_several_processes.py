"""Several processes on the command line: what is refused, what a rank does, and a run in others that `train` shows."""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.config.run import RunConfig
from engine.errors import DistributedError, RankLostError
from engine.parallel.place import Place
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import folder_of_run
from tests.cli.program import SMALL_MODEL, Cli, assert_two_line_error
from tests.fakes import run_started, steps_finished
from tests.tui.remote.host_and_client import FINISHED, PAUSED, RUN, hosted
from tests.waiting import wait_until
from tui.cli import ranks
from tui.cli.commands import train
from tui.cli.headless import _listen_to_signals, run_attached
from tui.cli.ranks import RunLeader
from tui.process.torchrun import Torchrun
from tui.process.torchrun_bridge import TorchrunBridge
from tui.remote.agent import Agent, StartedRun

NOW: dict[str, Any] = {"step": 7, "elapsed_seconds": 1.0}


def leader(**changes: int) -> RunLeader:
    return RunLeader(Place(rank=0, world_size=2, **changes))


@pytest.fixture
def set_rank(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Return a function that sets the variables of torchrun, for a rank that waits for the others for one second."""

    def set_(rank: int) -> None:
        place = {"RANK": rank, "WORLD_SIZE": 2, "MASTER_ADDR": "localhost", "MASTER_PORT": 0}
        for name, value in {**place, "TWEETGEN_RANK_TIMEOUT": 1}.items():
            monkeypatch.setenv(name, str(value))

    monkeypatch.setattr(train, "leave_process", exit)
    return set_


def test_auto_without_a_gpu_trains_in_one_process_and_gives_the_reason(cli: Cli, home: Path, tweets: Path) -> None:
    auto = ("--nproc-per-node", "auto", "--device", "cpu")
    ended = cli("train", *auto, "--data", tweets, *SMALL_MODEL, "--max-steps", "2")
    assert ended.code == 0, ended.err
    assert "warning: --nproc-per-node auto: 1 process on cpu" in ended.err


def test_a_rank_starts_no_others_detaches_from_nothing_and_has_no_screen(
    cli: Cli, home: Path, set_rank: Callable[[int], None]
) -> None:
    set_rank(0)
    for line in ("train --nproc-per-node 2", "train --detach", ""):
        assert_two_line_error(cli(*line.split()), "RANK is set", "torchrun")


def test_a_leader_whose_others_do_not_come_ends_in_order_after_the_timeout(
    cli: Cli, home: Path, set_rank: Callable[[int], None], tweets: Path
) -> None:
    set_rank(0)
    ended = cli("train", "--data", tweets, "--json")
    [failed] = map(e.from_json, ended.lines)
    assert isinstance(failed, e.RunFailed)
    assert "within 1 s" in failed.detail
    assert "TWEETGEN_RANK_TIMEOUT" in failed.hint
    assert ended.error_lines[-2] == f"tweetgen-tui: {failed.detail}"
    assert ended.code == 0  # torchrun would start it again


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RankLostError("A sum failed."), 75, "A sum failed."),
        (DistributedError("Rank 0 has failed."), 0, "Rank 0 has failed."),
        (ZeroDivisionError("by zero"), 0, "ZeroDivisionError: by zero"),
    ],
)
def test_only_a_rank_that_has_lost_another_is_to_start_again(
    cli: Cli, home: Path, set_rank: Callable[[int], None], error: Exception, code: int, words: str
) -> None:
    def follow(*_: object) -> None:
        raise error

    cli.monkeypatch.setattr(ranks, "follow", follow)
    set_rank(1)
    ended = cli("train")
    assert (ended.code, ended.error_lines[0]) == (code, f"tweetgen-tui: {words}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_leader_that_gets_a_signal_twice_stops_once_and_saves_also_at_a_hangup(number: signal.Signals) -> None:
    output: Any = SimpleNamespace(inbox=queue.SimpleQueue(), has_hung_up=threading.Event())
    signalled = leader()
    _listen_to_signals(output, signalled, stops_on_hangup=False)
    for _ in range(2):
        signal.raise_signal(number)
    assert isinstance(output.inbox.get_nowait(), c.Stop)
    assert output.inbox.empty()
    assert signalled._is_terminated == (number == signal.SIGTERM)


@pytest.mark.parametrize("last", ["Paused", "Resumed"])
def test_after_a_restart_the_run_of_the_same_torchrun_continues_with_its_own_settings_paused_or_not(
    home: Path, last: str
) -> None:
    run, first = folder_of_run("mine"), leader()
    assert not first.is_restarted
    stream: list[e.Event] = [run_started(run="mine"), e.Paused(**NOW), e.Resumed(**NOW), e.Paused(**NOW)]
    stream += [e.Resumed(**NOW) if last == "Resumed" else e.Warned(message="!", **NOW)]
    for event in (*stream, e.CheckpointSaved(name="latest", path="", bits_per_char=None, weights_step=1, **NOW)):
        first.note(event)
    run.journal_path.write_text("".join(e.to_json(event) + "\n" for event in stream))
    again = leader(restart_count=1, max_restarts=3)
    config = again._config_of_attempt(RunConfig(run_name="mine", settings={"batch_size": 5}))
    assert (config, again.was_paused, again.has_ended) == (RunConfig(resume="mine"), last == "Paused", False)
    assert again.notice.endswith("All processes started again from the latest checkpoint (restart 1 of at most 3).")
    again.note(run_started(run="mine"))
    again.note(FINISHED)
    assert leader().has_ended
    StartedRun(agent=Agent(pid=1, started=0.0)).write(run)  # another torchrun
    assert not leader().is_restarted


def test_a_run_lost_before_its_first_checkpoint_starts_anew_under_its_name(home: Path) -> None:
    folder_of_run("mine").path.mkdir(parents=True)
    config = RunConfig(run_name="mine")
    assert leader(restart_count=2)._config_of_attempt(config) == config
    assert not folder_of_run("mine").path.exists()


class StartedByTest(Torchrun):
    """Starts nothing: the test hosts the run."""

    is_alive = True

    def start(self) -> None: ...


def test_each_event_of_an_attached_run_is_printed_once_also_those_missed_and_ctrl_c_ends_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bridge = TorchrunBridge(RunConfig(run_name=RUN), lambda config: StartedByTest(config, 2))
    recorded, printed = list[str](), list[str]()

    def has_printed_all() -> bool:
        printed.extend(capsys.readouterr().out.splitlines())
        return printed == recorded

    def play(started_at: float) -> None:
        """Host a session; an event comes before the client has attached, and one while its connection is broken."""
        started = run_started(run=RUN, started_at=started_at)
        with hosted(started, agent=Agent.of_process(os.getpid())) as made:

            def emit(*events: e.Event) -> None:
                recorded.extend(map(e.to_json, events))
                made.folder.journal_path.write_text("".join(line + "\n" for line in recorded))
                made.emit(events[-1])
                wait_until(has_printed_all, "the events")

            emit(started, steps_finished(1, [3.0]))
            made.break_connections()
            emit(PAUSED)
            if started_at == 2.0:
                os.kill(os.getpid(), signal.SIGINT)
                wait_until(lambda: made.sent == [c.Stop(reason="interrupted")], "the stop")
                emit(replace(FINISHED, reason="interrupted"))

    def play_both() -> None:
        play(1.0)
        play(2.0)

    host = threading.Thread(target=play_both)
    host.start()
    assert run_attached(bridge, as_json=True, stops_on_hangup=False, detaches=False) == 130
    host.join()
    bridge.torchrun._output.close()
    bridge.torchrun._errors.close()
