"""How many processes train a run, and torchrun as a child: here a small script in its place.

No program that starts itself runs code of the working directory.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from engine.errors import DeviceError, InternalError
from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.progress import Stage
from engine.storage.folders import RunFolder, folder_of_run
from engine.storage.journal import Journal
from tests.fakes import run_started
from tests.tui.process.host_and_client import RUN, hosted
from tests.waiting import DEADLINE_SECONDS, wait_until
from tui.process import attached as client
from tui.process import torchrun as module
from tui.process.attached import AttachedRun
from tui.process.torchrun import AUTO, Agent, Order, Processes, Torchrun, own_module
from tui.run.view import RunView

FAILED = e.RunFailed(step=0, elapsed_seconds=0.0, title="The device can't be used", detail="No GPU.", hint="Buy one.")
STOPPED = e.RunFinished(step=0, elapsed_seconds=0.0, reason="interrupted", total_seconds=0.0, total_chars=0)
CASES = Path(__file__).parent / "cases/processes.txt"
"""How many processes are wanted, on a machine with so many cores and GPUs, for which run."""
WAITS = "import sys, time; print('reading the tweets ... 45%', file=sys.stderr, flush=True); time.sleep(600)"


def chosen(monkeypatch: pytest.MonkeyPatch, wanted: int, cores: int = 16, gpus: int = 0, **options: Any) -> Processes:
    """Choose processes on a machine with these cores and GPUs."""
    monkeypatch.setattr(module, "_num_cores", lambda: cores)
    monkeypatch.setattr(module, "_num_gpus", lambda: gpus)
    runtime = RuntimeConfig(**{name: options.pop(name) for name in ("device", "threads") if name in options})
    preset = options.pop("preset", "auto")
    return Processes.choose(wanted, RunConfig(preset=preset, settings=options, runtime=runtime))


def test_how_many_processes_share_cores_and_gpus_or_why_so_many_are_refused(
    monkeypatch: pytest.MonkeyPatch, snapshot: SnapshotAssertion
) -> None:
    lines = []
    for line in CASES.read_text(encoding="utf-8").splitlines():
        wanted, _, machine = line.partition(" ")
        try:
            processes = chosen(monkeypatch, AUTO if wanted == "auto" else int(wanted), **json.loads(machine))
            runtime = processes.runtime
            text = f"{processes.count} on {runtime.device}, threads {runtime.threads}\n{processes.note}".rstrip()
        except DeviceError as error:
            text = f"{error.message}\n{error.hint}"
        lines.append(f"» {line}\n{text}")
    assert "\n".join(lines) == snapshot


def test_an_order_survives_the_arguments_of_torchrun_which_replaces_dollars() -> None:
    order = Order(
        config=RunConfig(corpus=CorpusConfig(files=("$$ ${local_rank} é" * 3000,))), notice="2 of 8", is_for_screen=True
    )
    arguments = order.to_arguments()
    assert len(arguments) > 1
    assert not any("$" in argument or len(argument.encode()) > 128 * 1024 for argument in arguments)
    assert Order.from_arguments([argument.removeprefix("--order=") for argument in arguments]) == order
    with pytest.raises(InternalError):
        Order.from_arguments(["{"])


class Started(AttachedRun):
    """A run in two processes."""

    torchrun: Torchrun

    def __init__(self, before: AttachedRun | None) -> None:
        torchrun = Torchrun(RunConfig(run_name=RUN), 2)
        super().__init__(torchrun.run, torchrun=torchrun, before=before)


Start = Callable[..., Started]


@pytest.fixture
def start(home: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Return a function that starts a run whose torchrun runs a script."""
    runs: list[Started] = []

    def start_(script: str, before: Started | None = None) -> Started:
        monkeypatch.setattr(module, "own_module", lambda _: [sys.executable, "-c", script])
        run = Started(before)
        runs.append(run)
        run.start()
        return run

    monkeypatch.setattr(module, "_num_cores", lambda: 2)
    yield start_
    for run in runs:
        run.leave()
        run.torchrun.kill()
        run.torchrun.wait(DEADLINE_SECONDS)
        run.torchrun._output.close()
        run.torchrun._errors.close()


def events_of(run: AttachedRun) -> list[e.Event]:
    """Wait for the end of a run; return its events."""
    assert run.wait(DEADLINE_SECONDS)
    return list(run.drain().events)


@pytest.mark.ci
def test_a_screen_shows_the_stage_attaches_once_the_run_listens_and_a_run_that_is_lost_for_good_can_be_continued(
    start: Start,
) -> None:
    run = start(WAITS)
    assert run.stage == Stage("starting 2 processes")
    wait_until(lambda: run.stage == Stage("reading the tweets", share=0.45))
    with hosted(run_started(run=RUN)) as made:
        wait_until(lambda: run.drain().view)
        run.send(c.Resume())
        wait_until(lambda: made.sent == [c.Resume()])
        run.torchrun.kill()
        run.torchrun.wait(DEADLINE_SECONDS)
    [lost] = events_of(run)
    assert isinstance(lost, e.RunFailed)
    assert lost.detail.endswith("ended unexpectedly. reading the tweets ... 45%")
    assert lost.hint.endswith(f"--resume {RUN}")


@pytest.mark.ci
def test_an_error_before_the_start_is_that_of_the_leader_or_what_was_written_last(start: Start) -> None:
    assert events_of(start(f"print({codec.encode(FAILED)!r})")) == [FAILED]
    [lost] = events_of(
        start("import sys; print('RuntimeError: no port', '====', sep='\\n', file=sys.stderr); sys.exit(1)")
    )
    assert isinstance(lost, e.RunFailed)
    assert lost.detail == f"The processes of the run {RUN} ended unexpectedly. RuntimeError: no port"
    assert "tweetgen.log" in lost.hint


@pytest.mark.ci
def test_a_run_that_is_stopped_before_its_start_ends_its_processes_and_the_next_one_starts(start: Start) -> None:
    first = start(WAITS)
    second = start(WAITS, before=first)
    wait_until(lambda: first.torchrun.is_alive)
    assert not second.torchrun.is_alive
    first.stop("interrupted")
    assert events_of(first) == [STOPPED]
    wait_until(lambda: second.torchrun.is_alive and not first.torchrun.is_alive)


@pytest.mark.usefixtures("home")
def test_a_screen_shows_the_end_of_a_run_whose_agent_lives_on_for_a_moment() -> None:
    with hosted(run_started(run=RUN), agent=Agent.of_process(os.getpid(), "job")) as made:
        run = AttachedRun(made.folder)
        run.connect()
    wait_until(lambda: run.badge == "restarting")
    with contextlib.closing(Journal(made.folder.journal_path)) as journal:
        journal.write(run_started(run=RUN))
        journal.write(FAILED)
    assert run.wait(DEADLINE_SECONDS)
    assert (view := run.drain().view) is not None
    assert view.ended == FAILED


@pytest.mark.usefixtures("home")
def test_a_screen_waits_for_a_run_that_starts_again_while_its_agent_lives_and_can_stop_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tries, connected = list[RunFolder](), client.connected

    def counted(folder: RunFolder, seconds: float) -> Any:
        tries.append(folder)
        return connected(folder, seconds)

    def wait_for_tries() -> None:
        num_tries = len(tries)
        wait_until(lambda: len(tries) >= num_tries + 3 or not run.is_alive)
        assert run.badge == "restarting"

    monkeypatch.setattr(client, "_RECONNECT_SECONDS", 0.05)
    monkeypatch.setattr(client, "connected", counted)
    with subprocess.Popen(["sleep", "600"]) as process:
        agent = Agent.of_process(process.pid, "job")
        with hosted(run_started(run=RUN), agent=agent) as made:
            run = AttachedRun(made.folder)
            run.connect()
        with contextlib.closing(Journal(made.folder.journal_path)):  # locked, without a socket
            wait_for_tries()
            assert "starting again" in run.interruption
            shutil.rmtree(made.folder.path)
            wait_for_tries()
        with hosted(run_started(run=RUN), agent=agent):
            wait_until(lambda: (run.badge, run.interruption) == ("attached", ""))
        wait_until(lambda: run.badge == "restarting")
        run.drain()
        run.stop("interrupted")
        assert process.wait(DEADLINE_SECONDS) == -signal.SIGTERM
    [ended] = events_of(run)
    assert isinstance(ended, e.RunFinished)
    assert ended.reason == "interrupted"


@pytest.mark.usefixtures("home")
def test_a_new_screen_waits_for_a_run_that_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    times, now = list[float](), 0.0

    def monotonic() -> float:
        times.append(now)
        return now

    monkeypatch.setattr(client, "time", SimpleNamespace(monotonic=monotonic, sleep=time.sleep))
    agent = Agent.of_process(os.getpid(), "job")
    assert agent is not None
    agent.write(folder_of_run(RUN))
    run = AttachedRun(folder_of_run(RUN))
    views: list[RunView] = []
    screen = threading.Thread(target=lambda: views.append(run.connect()))
    screen.start()
    wait_until(lambda: run._state == "restarting")
    now = 1000.0  # longer than a host may take to answer
    wait_until(lambda: times.count(now) > 1)
    with hosted(run_started(run=RUN), agent=agent):
        wait_until(lambda: views)
        assert views[0].phase == "training"
        run.leave()
    screen.join()


@pytest.mark.ci
def test_a_folder_tui_and_a_module_random_in_the_working_directory_are_not_run(tmp_path: Path) -> None:
    (tmp_path / "tui").mkdir()
    for name in ("tui/__init__.py", "tui/__main__.py", "random.py", "typer.py"):
        (tmp_path / name).write_text('raise SystemExit("foreign code")')
    ended = subprocess.run([*own_module("tui"), "--version"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("tweetgen-tui ")
