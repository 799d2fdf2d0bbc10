"""The commands of a session: `CommandQueue` puts them into the order of execution, `CommandHandler` executes them."""

from __future__ import annotations

import contextlib
import queue
from collections import deque
from collections.abc import Callable, Iterator

from engine.compute.clocks import Phase
from engine.config.sampling import SamplingConfig
from engine.errors import ConfigError, DistributedError, RunEndsError, TweetgenError
from engine.protocol import commands, insight
from engine.protocol.commands import Command, Stop
from engine.session.questions import Questions
from engine.session.restoring import Restorer
from engine.session.sampling import Sampling
from engine.session.settings import change_settings, plan_finish
from engine.session.state import FINISHED, Run

MAX_CHANGES_BEFORE_STOP = 32
"""Commands that arrived before a `Stop` and are still executed first, queries not counted."""
STOP_WAITS_SECONDS = 0.3
"""How long a run that is to stop continues the tweet that it is sampling."""


class CommandQueue:
    """The commands that were received. Used by the session's thread only."""

    def __init__(self, inbox: queue.SimpleQueue[Command]) -> None:
        self._inbox = inbox
        self._early: deque[Command] = deque()
        self.waiting: deque[Command] = deque()
        """In the order of their execution. Any thread may read its length."""

    def early_stop(self) -> Stop | None:
        """Return a `Stop` that arrived during setup, if any; other commands are stored for the run."""
        for command in self._drained():
            if isinstance(command, Stop):
                return command
            self._early.append(command)
        return None

    def receive(self, execute_now: Callable[[Command], None]) -> None:
        """Drain the inbox. A command that `is_immediate` is executed at once.

        A `Stop` is queued ahead of all queries, and behind the first of the earlier changes.
        """
        for command in self.arrivals():
            if command.is_immediate():
                execute_now(command)
            elif isinstance(command, Stop):
                changes, others = list[Command](), list[Command]()
                for each in self.waiting:
                    is_before = not each.is_query and len(changes) < MAX_CHANGES_BEFORE_STOP
                    (changes if is_before else others).append(each)
                self.waiting = deque([*changes, command, *others])
            else:
                self.waiting.append(command)

    @property
    def has_stop(self) -> bool:
        """Whether a `Stop` waits."""
        return any(isinstance(command, Stop) for command in self.waiting)

    def arrivals(self) -> Iterator[Command]:
        """Remove and yield the commands that were not received yet, in order."""
        while self._early:
            yield self._early.popleft()
        yield from self._drained()

    def _drained(self) -> Iterator[Command]:
        """Remove and yield the commands in the inbox."""
        with contextlib.suppress(queue.Empty):
            while True:
                yield self._inbox.get_nowait()


class CommandHandler:
    """Executes the commands for one run. Used by the session's thread only."""

    def __init__(
        self, run: Run, queue: CommandQueue, sampling: Sampling, questions: Questions, restorer: Restorer
    ) -> None:
        self.end_reason: str | None = None
        """Why the run is to end: set by a `Stop`, or by the loop once the budget is used up."""
        self.is_step_asked = False
        """Set by a `TakeStep`, which has resumed the run; reset by the loop."""
        self._run = run
        self._queue = queue
        self._sampling = sampling
        self._questions = questions
        self._restorer = restorer
        self._stop_seen_at: float | None = None
        self._num_executing = 0

    @property
    def num_pending(self) -> int:
        """How many commands were received and are not executed to the end yet. For any thread."""
        run = self._run
        num_asked = self._questions.num_pending + run.checkpoints.num_required
        return len(self._queue.waiting) + self._num_executing + num_asked

    def receive(self) -> bool:
        """Drain the inbox; return whether commands wait for their execution."""
        self._queue.receive(self.execute)
        return bool(self._queue.waiting)

    def execute_waiting(self) -> None:
        """Execute all waiting commands, up to a `Stop` or a `TakeStep`."""
        while self.receive() and self.end_reason is None and not self.is_step_asked:
            self.execute(self._queue.waiting.popleft())

    def answer_queries(self) -> bool:
        """Execute the queries that wait, in the middle of an evaluation; return whether another command waits."""
        while (is_waiting := self.receive()) and self._queue.waiting[0].is_query:
            self.execute(self._queue.waiting.popleft())
        self._questions.advance()
        return is_waiting

    def receive_sampling(self) -> SamplingConfig:
        """Drain the inbox; return the sampling settings for the next character.

        Raises `RunEndsError` where the run is to stop and a tweet, of up to 100,000 characters, delays that.
        """
        self.receive()
        if self._queue.has_stop:
            now = self._run.state.stopwatch.clock()
            self._stop_seen_at = self._stop_seen_at or now
            if now - self._stop_seen_at > STOP_WAITS_SECONDS:
                raise RunEndsError("The run is stopping, so this tweet was not finished.")
        return self._run.state.sampling

    def refuse_remaining(self) -> None:
        """Refuse all commands that the end of the run leaves unexecuted."""
        error = RunEndsError("The run ended before this was done.")
        for command in [*self._queue.waiting, *self._queue.arrivals()]:
            if not isinstance(command, commands.Stop):
                self._run.reporter.emit_refusal(command, error)
        self._questions.refuse_all(error)

    def execute(self, command: Command) -> None:
        """Execute a command, or refuse it. Raises `DistributedError`: without the other processes, the run ends."""
        self._num_executing += 1
        try:
            phase: Phase = "sampling" if command.is_query else "other"
            with self._run.state.timer.during(phase), self._run.oom.memory_errors("this command"):
                self._dispatch(command)
        except DistributedError:
            raise
        except TweetgenError as error:
            self._run.reporter.emit_refusal(command, error)
        finally:
            self._num_executing -= 1

    def _dispatch(self, command: Command) -> None:  # noqa: C901, PLR0912 - one case per kind of command
        """Execute a command. Raises a `TweetgenError` before anything is changed."""
        run = self._run
        match command:
            case commands.Pause():
                run.pause()
            case commands.Resume():
                run.resume()
            case commands.Stop():
                self._stop(command)
            case commands.ChangeSettings(settings=settings):
                change_settings(run, settings)
            case commands.Finish(on=on):
                plan_finish(run, on=on)
            case commands.SampleNow(prime=prime, draw=draw):
                self._sampling.sample_now(self.receive_sampling, prime, draw)
            case commands.CompleteText(text=text, request=request, draw=draw):
                self._sampling.complete_text(text, request, draw)
            case commands.ReadTweet(text=text):
                self._sampling.read_tweet(text)
            case commands.SampleLadder(prime=prime, seed=seed, temperatures=temperatures):
                self._sampling.sample_ladder(prime, seed, temperatures)
            case commands.TakeStep():
                if not run.state.is_paused:
                    raise ConfigError("The run is not paused.", "Pause it, then take single steps.")
                run.resume()
                self.is_step_asked = True
            case insight.ShowBatch(shuffled=shuffled):
                self._questions.show_batch(shuffled=shuffled)
            case insight.Insight():
                self._questions.ask(command)
            case commands.SaveCheckpoint():
                run.checkpoints.save_named(command)
            case commands.SaveLatest():
                run.checkpoints.save("latest", is_required=True)
            case commands.LoadCheckpoint(name=name, halves_rate=halves_rate):
                self._restorer.load(name, halves_rate=halves_rate)
            case _:
                raise TypeError(type(command))

    def _stop(self, command: commands.Stop) -> None:
        """Let the run end, for the reason for which it is paused at its end, if it is."""
        self._stop_seen_at = None
        if command.unless_unsaved:
            self._run.checkpoints.require_saved()
        state, ended = self._run.state, self._run.state.end_reason
        is_over = ended is not None and (state.is_paused or ended == FINISHED)
        self.end_reason = ended if is_over else command.reason
