"""A run without a screen: signals become commands, events become a progress bar, plain lines or JSON.

stdout carries data (`--json`), stderr progress. The run is trained in this process (`run_headless`), or in several
others (`run_attached`). Only this module and `tui.process.local` start a session.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TextIO

from engine.compute.memory import torch_imported_uncollected
from engine.config.run import BUDGETS, RunConfig, Tuning
from engine.errors import RankLostError, TweetgenError
from engine.protocol import codec, events
from engine.protocol.commands import Command, Pause, Stop
from engine.protocol.events import Event, RunStarted
from engine.protocol.progress import Stage
from engine.session.startup import preflight
from engine.storage.folders import RUN_CHECKPOINTS, RunFolder
from engine.storage.journal import read_journal
from engine.text import counted, sanitize_line
from tui.cli.output import ProgressDisplay, write_line
from tui.process.attached import AttachedRun
from tui.process.exit import exit_code_of
from tui.process.host import Host
from tui.process.ranks import RunLeader
from tui.process.signals import (
    ENDING_SIGNALS,
    handle_ending_signals,
    leave_at_once,
    log_crashes_of,
    reason_of,
    stop_at_signals,
)
from tui.process.torchrun import Torchrun
from tui.run.connection import failure_event
from tui.run.ending import eta_of, limit_text
from tui.run.fold import fold
from tui.run.marks import failure_of, refusals_of
from tui.run.summary import end_lines, how_to_attach
from tui.run.view import RunView, is_over
from tui.text.numbers import format_bits, format_eta, format_loss, format_rate, format_report, unit_label

_POLL_SECONDS = 0.2
_ENDING_SECONDS = 60.0
"""How long the processes of a run may take to end after its last event."""
_UNWATCHED_SECONDS = 5.0
"""How long a run whose budget is used up waits for a screen."""
_TUNING: dict[Tuning, str] = {
    "": "",
    "fixed": ", precision and threads fixed",
    "measured": ", precision and threads measured",
    "due": ", precision and threads to be measured",
}


def run_headless(
    config: RunConfig,
    *,
    as_json: bool,
    stops_on_hangup: bool = False,
    on_start: Callable[[RunView], None] | None = None,
    is_for_screen: bool = False,
    notice: str = "",
    leader: RunLeader | None = None,
) -> int:
    """Train until the end and return the exit code. Raises `TweetgenError` if the run can't start.

    Other terminals can attach to it. After a hangup the run continues, unless it `stops_on_hangup`. `on_start` is
    called with the view of the run once it has started; from then on nothing is written. A run that `is_for_screen`
    pauses once its budget is used up, and ends when no screen is attached. `notice` is a warning at its start. With a
    `leader`, this process is the first of several; raises `RankLostError` where they have to start again.
    """
    if leader is None:
        preview = preflight.check(config)
        if not is_for_screen:
            preflight.require_text(preview)
    output = _Output(as_json=as_json, on_start=on_start, leader=leader)
    _listen_to_signals(output, stops_on_hangup=stops_on_hangup)
    with contextlib.closing(output):
        output.on_stage(Stage("loading torch"))
        try:
            _train(config, output, is_for_screen=is_for_screen, notice=notice)
        except RankLostError:
            raise
        except TweetgenError as error:
            output.emit(failure_event(error, None))
    return output.end()


def _train(config: RunConfig, output: _Output, *, is_for_screen: bool, notice: str) -> None:
    """Run the session. Raises `TweetgenError` where the other processes can't be joined, or were lost."""
    with torch_imported_uncollected():
        from engine.session.session import TrainingSession

    inbox, leader, ranks = output.inbox, output.leader, None
    if leader is not None:
        config, ranks = leader.prepare(config)
        if leader.was_paused:
            inbox.put(Pause())
    session = TrainingSession(
        config,
        output.on_stage,
        pauses_at_end=is_for_screen,
        notices=tuple(filter(None, (notice, leader.notice if leader else ""))),
        ranks=ranks,
        is_restarted=leader is not None and leader.is_restarted,
    )
    output.host = Host(config, inbox.put, lambda: inbox.qsize() + session.num_waiting)
    with contextlib.closing(output.host):
        if is_for_screen:
            threading.Thread(target=_stop_unwatched, args=(output, output.host), name="screens", daemon=True).start()
        session.run(output.emit, inbox)


def _stop_unwatched(output: _Output, host: Host) -> None:
    """Stop the run once it has used up its budget and no screen is attached. A thread's body."""
    left_at = time.monotonic()
    while output.view.ended is None:
        time.sleep(_POLL_SECONDS)
        if host.num_clients or not is_over(output.view):
            left_at = time.monotonic()
        elif time.monotonic() - left_at > _UNWATCHED_SECONDS:
            output.inbox.put(Stop(reason="finished"))
            return


def run_attached(torchrun: Torchrun, *, as_json: bool, stops_on_hangup: bool, detaches: bool) -> int:
    """Start the processes of a run, and show it until its end; return the exit code.

    The run outlives this process. With `detaches`, this process leaves it once it has started.
    """
    output = _Output(as_json=as_json, on_start=(lambda view: write_line(how_to_attach(view))) if detaches else None)
    run = AttachedRun(torchrun.run, torchrun=torchrun)
    received = _Received(run, torchrun.run, output)
    _listen_to_signals(output, stops_on_hangup=stops_on_hangup, kill=torchrun.kill)
    with contextlib.closing(output):
        run.start()
        has_ended, stop = False, None
        while not has_ended:
            has_ended = run.wait(_POLL_SECONDS)
            is_attached_again = received.emit_all()
            if output.view.started is None:
                output.on_stage(run.stage)
            elif detaches:
                run.leave()
                return exit_code_of(output.view)
            is_new = not output.inbox.empty()
            stop = output.inbox.get() if is_new else stop
            if isinstance(stop, Stop) and (is_new or is_attached_again):  # what was sent before may have been lost
                run.stop(stop.reason)
    code = output.end()
    torchrun.wait(_ENDING_SECONDS)
    return code


def _listen_to_signals(output: _Output, *, stops_on_hangup: bool, kill: Callable[[], None] = lambda: None) -> None:
    """Make the first SIGINT or SIGTERM stop and save; a hangup if it `stops_on_hangup`. The second exits at once.

    The second calls `kill` before. A leader ignores it: it may get each signal twice, directly and from torchrun. That
    ends at any of them, and kills the leader if this takes long; so a hangup stops a leader in any case.
    """
    has_stopped, leader = threading.Event(), output.leader

    def stop(reason: str) -> None:
        if reason == ENDING_SIGNALS[signal.SIGHUP]:
            output.has_hung_up.set()
            if leader is None and not stops_on_hangup:
                return
        if leader is not None and reason == ENDING_SIGNALS[signal.SIGTERM]:
            leader.terminate()
        if leader is None or not has_stopped.is_set():
            has_stopped.set()
            output.inbox.put(Stop(reason=reason))

    def leave(number: int, frame: FrameType | None) -> None:
        for each in (signal.SIGINT, signal.SIGTERM):
            signal.signal(each, signal.SIG_IGN)  # another one would interrupt this one
        kill()
        leave_at_once(number, frame)

    handle_ending_signals(stop_at_signals(stop, leave) if leader is None else lambda code: stop(reason_of(code)))


class _Output:
    """Shows the events of a run, and passes them on."""

    def __init__(
        self, *, as_json: bool, on_start: Callable[[RunView], None] | None, leader: RunLeader | None = None
    ) -> None:
        self.inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.has_hung_up = threading.Event()
        self.host: Host | None = None
        self.leader = leader
        self.view = RunView()
        self._as_json = as_json
        self._on_start = on_start
        self._display = ProgressDisplay()
        self._stage = Stage("")
        self._is_shown = True

    def emit(self, event: Event) -> None:
        self.view = fold(self.view, [event])
        if isinstance(event, RunStarted):
            log_crashes_of(event.run)
        if self.host is not None:
            self.host.handle(event)
        has_started = self._on_start is not None and isinstance(event, RunStarted)
        if self._is_shown and (has_started or self.has_hung_up.is_set()):
            self.close()
            if self._on_start is not None and has_started:
                self._on_start(self.view)
        if self.leader is not None:
            self.leader.note(event)
        if self._as_json and event.is_recorded:
            with self._ignoring_write_errors(sys.stdout):
                sys.stdout.write(codec.encode(event) + "\n")
                sys.stdout.flush()
        if self._is_shown:
            with self._ignoring_write_errors(sys.stderr):
                for line in lines_of(event, self.view):
                    self._display.print(line)
                if isinstance(event, RunStarted | events.StepsFinished):
                    self._display.update(progress_text(self.view), self.view.progress)

    def on_stage(self, stage: Stage) -> None:
        """Show a stage of the setup, or that the run compiles code; maybe on another thread."""
        if self._is_shown:
            with self._ignoring_write_errors(sys.stderr):
                before, self._stage = self._stage, stage
                for line in format_report(stage.report) if stage.report != before.report else ():
                    self._display.print(line)
                text = f"{sanitize_line(str(stage))} ..." + ("" if stage.share is None else f" {stage.share:.0%}")
                self._display.update(text, stage.share, at_once=stage.text != before.text)

    def close(self) -> None:
        """Remove the progress bar, and show nothing more."""
        self._is_shown = False
        self._display.close()

    def end(self) -> int:
        """Write the summary of the run; return its exit code."""
        for line in end_lines(self.view):
            with self._ignoring_write_errors(sys.stderr):
                write_line(line)
        return exit_code_of(self.view)

    @contextlib.contextmanager
    def _ignoring_write_errors(self, stream: TextIO) -> Iterator[None]:
        """Suppress errors of writing to `stream`, such as a full disk; stop the run at a closed pipe."""
        try:
            yield
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            if not self.has_hung_up.is_set():  # after a hangup the run continues
                self.inbox.put(Stop())
        except OSError:
            pass  # the journal has the event


class _Received:
    """The events of an attached run, each of them once: those missed between two connections are in its journal."""

    def __init__(self, run: AttachedRun, folder: RunFolder, output: _Output) -> None:
        self._run = run
        self._journal_path = folder.journal_path
        self._output = output
        self._started_at: float | None = None
        """Start time of the session whose events were emitted last."""
        self._last = ""
        self._emitted_early: set[str] = set()
        """Events read from the journal that the connection will repeat, as JSON."""

    def emit_all(self) -> bool:
        """Emit what was received since the last call; return whether it is attached again."""
        update = self._run.drain()
        if update.view is not None:
            self._emit_missed(update.view)
        for event in update.events:
            line = codec.encode(event)
            if line not in self._emitted_early:
                self._emit(event, line)
        return update.view is not None

    def _emit(self, event: Event, line: str) -> None:
        if isinstance(event, RunStarted):
            self._started_at = event.started_at
        if event.is_recorded:
            self._last = line
        self._output.emit(event)

    def _emit_missed(self, view: RunView) -> None:
        """Emit the events of the current session that were not received, up to the `view` of the run and beyond."""
        session: list[Event] = []
        with contextlib.suppress(OSError):
            for event in read_journal(self._journal_path):
                if isinstance(event, RunStarted):
                    session.clear()
                session.append(event)
        recorded = [(event, codec.encode(event)) for event in session]
        self._emitted_early = {line for event, line in recorded if event.elapsed_seconds >= view.elapsed_seconds}
        if session and getattr(session[0], "started_at", None) == self._started_at:
            lines, step = [line for _, line in recorded], self._output.view.step
            if self._last in lines:
                recorded = recorded[lines.index(self._last) + 1 :]
            else:  # it was thinned
                recorded = [(event, line) for event, line in recorded if event.step > step]
        for event, line in recorded:
            self._emit(event, line)


# A run in lines -------------------------------------------------------------------------------------------------------


def lines_of(event: Event, view: RunView) -> Iterator[str]:  # noqa: C901 - one case per kind of event
    """Yield the lines of an event, `view` being that after it: none for events that only move the progress."""
    step = f"step {event.step:,}"
    match event:
        case events.RunStarted():
            how = f"{event.training.preset}: {event.training.preset_reason}"
            if event.resumed_from is not None:
                how = f"resumed from {event.resumed_from}"
            yield (
                f"run {event.run}: {event.corpus}, {counted(event.num_train_tweets, 'training tweet')}, "
                f"{event.num_parameters:,} parameters, {event.device} {event.precision}, "
                f"{counted(event.num_threads, 'thread')}{_TUNING[event.tuning]}; {how}"
            )
        case events.EvalFinished():
            note = ", best so far" if event.is_best else ", an early estimate" if event.is_early else ""
            yield f"{step}: {format_bits(event.bits_per_char)} validation bits/char{note}"
        case events.TweetSampled():
            yield from (f"{step}: {text}" for text in (event.text, refusals_of(event), failure_of(event)) if text)
        case events.CheckpointSaved(name=name) if name not in RUN_CHECKPOINTS:
            yield f"saved {name}"
        case events.FinishPlanned(last_step=None):
            yield f"{step}: finish cancelled"
        case events.FinishPlanned(last_step=int(last_step)) if last_step > event.step:
            yield f"{step}: finishing at step {last_step:,}"
        case events.ThreadsChanged(message=message):
            yield f"{step}: {message}"
        case events.Warned(message=message, kind=kind):
            yield message if kind in {"outcome", "finished"} else f"warning: {message}"
        case events.SettingsChanged(settings=settings) if view.training is not None and settings.keys() & set(BUDGETS):
            yield f"{step}: the run trains {limit_text(vars(view.training))}"
        case events.RunFinished(reason=reason):
            yield f"ended: {reason.replace('_', ' ')}"


def progress_text(view: RunView) -> str:
    """Return step, epoch, loss, speed and remaining time as one line."""
    loss, eta = view.smoothed_loss, eta_of(view)
    parts = [
        f"step {view.step:,}",
        f"epoch {view.epoch:.2f}",
        "" if loss is None else f"loss {format_loss(loss, 'bits')} {unit_label('bits')}",
        format_rate(view.chars_per_second) if view.chars_per_second else "",
        "Ctrl-C saves and stops" if eta is None else f"stops in {format_eta(eta.seconds, eta.spread_seconds)}",
    ]
    return "  ".join(part for part in parts if part)
