"""The commands of a session: `CommandQueue` puts them into the order of execution, `CommandHandler` executes them."""

from __future__ import annotations

import contextlib
import queue
from collections import deque
from collections.abc import Callable, Iterator

from engine.compute.clocks import Phase
from engine.compute.device import derived_seed
from engine.config.sampling import SamplingConfig
from engine.errors import ConfigError, DistributedError, RunEndsError, TweetgenError
from engine.protocol import commands, insight
from engine.protocol.commands import Command, Stop
from engine.session.questions import Questions
from engine.session.restoring import Restorer
from engine.session.sampling import Sampling
from engine.session.settings import LiveSettings
from engine.session.state import FINISHED, Run

MAX_CHANGES_BEFORE_STOP = 32
"""Commands that arrived before a `Stop` and are still executed first, queries not counted."""
STOP_WAITS_SECONDS = 0.3
"""How long a run that is to stop continues the tweet that it is sampling."""
_REQUESTED_SAMPLE, _REQUESTED_COMPLETION = 2, 3  # purposes of derived seeds; 1 is a due sample


class CommandQueue:
    """Used by the session's thread only, except for `len`, which any thread may call."""

    def __init__(self, inbox: queue.SimpleQueue[Command]) -> None:
        self._inbox = inbox
        self._early: deque[Command] = deque()
        self._waiting: deque[Command] = deque()

    def __len__(self) -> int:
        """Return how many received commands wait for their execution."""
        return len(self._waiting)

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
        for command in self._arrivals():
            if command.is_immediate():
                execute_now(command)
            elif isinstance(command, Stop):
                changes, others = list[Command](), list[Command]()
                for each in self._waiting:
                    is_before = not each.is_query and len(changes) < MAX_CHANGES_BEFORE_STOP
                    (changes if is_before else others).append(each)
                self._waiting = deque([*changes, command, *others])
            else:
                self._waiting.append(command)

    def pop(self) -> Command:
        """Remove and return the command to execute next."""
        return self._waiting.popleft()

    @property
    def has_query_next(self) -> bool:
        """Whether the next command changes nothing."""
        return bool(self._waiting) and self._waiting[0].is_query

    @property
    def has_stop(self) -> bool:
        """Whether a `Stop` waits."""
        return any(isinstance(command, Stop) for command in self._waiting)

    def drain_remaining(self) -> list[Command]:
        """Drain the inbox and return all commands that the end of the run leaves unexecuted."""
        return [*self._waiting, *self._arrivals()]

    def _arrivals(self) -> Iterator[Command]:
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
        self,
        run: Run,
        queue: CommandQueue,
        settings: LiveSettings,
        sampling: Sampling,
        questions: Questions,
        restorer: Restorer,
    ) -> None:
        self.stop_reason: str | None = None
        """Set by a `Stop`: the run is to end."""
        self.is_saved = False
        """Whether that `Stop` has saved `latest`."""
        self._is_step_asked = False
        """Set by a `TakeStep`, which has resumed the run."""
        self._run = run
        self._queue = queue
        self._settings = settings
        self._sampling = sampling
        self._questions = questions
        self._restorer = restorer
        self._num_requested_samples = 0
        self._stop_seen_at: float | None = None
        self._num_executing = 0

    @property
    def num_pending(self) -> int:
        """How many commands were received and are not executed to the end yet. For any thread."""
        run = self._run
        num_asked = self._questions.num_pending + run.checkpoints.num_requested
        return len(self._queue) + self._num_executing + num_asked

    def execute_waiting(self) -> str | None:
        """Execute all waiting commands, up to a `Stop` or a `TakeStep`; return the reason to end of the former."""
        self.receive()
        while self._queue and self.stop_reason is None and not self._is_step_asked:
            self.execute(self._queue.pop())
            self.receive()
        return self.stop_reason

    def take_asked_step(self) -> bool:
        """Return whether a `TakeStep` asks for a single step, once."""
        is_asked, self._is_step_asked = self._is_step_asked, False
        return is_asked

    def receive(self) -> bool:
        """Drain the inbox; return whether commands wait for their execution."""
        self._queue.receive(self.execute)
        return len(self._queue) > 0

    def answer_queries(self) -> bool:
        """Execute the queries that wait, in the middle of an evaluation; return whether another command waits."""
        is_waiting = self.receive()
        while self._queue.has_query_next:
            self.execute(self._queue.pop())
            is_waiting = self.receive()
        self._questions.advance()
        return is_waiting

    def answer_queries_before_stop(self) -> bool:
        """Execute the commands that may interrupt a single step; return whether a `Stop` waits."""
        self.answer_queries()
        return self._queue.has_stop

    def current_sampling(self) -> SamplingConfig:
        """Return the sampling settings for the next character.

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
        for command in self._queue.drain_remaining():
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
                self._settings.change(settings)
            case commands.Finish(on=on):
                self._settings.plan_finish(on=on)
            case commands.SampleNow(prime=prime, draw=draw):
                self._sample(prime, draw)
            case commands.CompleteText(text=text, request=request, draw=draw):
                # with the same draw, only training changes the continuation
                self._sampling.complete_text(text, request, run.state.sampling, self._completion_seed(draw))
            case commands.ReadTweet(text=text):
                self._sampling.read_tweet(text)
            case commands.SampleLadder(prime=prime, seed=seed, temperatures=temperatures):
                sampling = SamplingConfig(prime=prime, max_length=run.state.sampling.max_length)
                self._sampling.sample_ladder(sampling, seed, temperatures)
            case commands.TakeStep():
                self._resume_for_a_step()
            case insight.ShowBatch(shuffled=shuffled):
                self._questions.show_batch(shuffled=shuffled)
            case insight.Insight():
                self._questions.ask(command)
            case commands.SaveCheckpoint():
                run.checkpoints.save_named(command)
            case commands.SaveLatest():
                run.checkpoints.save("latest", user_requested=True)
            case commands.LoadCheckpoint(name=name, halves_rate=halves_rate):
                self._restorer.load(name, halves_rate=halves_rate)
            case _:
                raise TypeError(type(command))

    def _stop(self, command: commands.Stop) -> None:
        """Let the run end, for the reason for which it is paused at its end, if it is."""
        self._stop_seen_at = None
        if command.unless_unsaved:
            self._run.checkpoints.require_saved()
            self.is_saved = True
        state = self._run.state
        ended = state.end_reason if state.is_paused else FINISHED if state.is_finished else None
        self.stop_reason = ended or command.reason

    def _resume_for_a_step(self) -> None:
        """Resume the run for a single step. Raises `ConfigError`."""
        if not self._run.state.is_paused:
            raise ConfigError("The run is not paused.", "Pause it, then take single steps.")
        self._run.resume()
        self._is_step_asked = True

    def _sample(self, prime: str | None, draw: int | None) -> None:
        """Sample a tweet on request: that of a completion, or another one each time, and none that is due anyway."""
        self._num_requested_samples += 1
        place = (_REQUESTED_SAMPLE, self._run.state.step, self._num_requested_samples)
        seed = derived_seed(self._run.state.training.seed, *place) if draw is None else self._completion_seed(draw)
        self._sampling.sample_tweet(self.current_sampling, seed, prime)

    def _completion_seed(self, draw: int) -> int:
        """Return the seed of a completion. Raises `ConfigError`."""
        if draw < 0:
            raise ConfigError("A draw must be at least 0.")
        return derived_seed(self._run.state.training.seed, _REQUESTED_COMPLETION, *([draw] if draw else []))
