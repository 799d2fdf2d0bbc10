"""The loop of one run: follow commands, do what is due, take a step, again.

What is due is decided by the step alone (and, for saving, by the clock), and what was done last is part of a
checkpoint. So a run that is stopped anywhere and resumed does the same things at the same steps as one that never
stopped.
"""

from __future__ import annotations

import math
import queue
import time
from collections import deque
from typing import assert_never

from engine import commands, events
from engine.checkpoint import load_checkpoint
from engine.checkpoint_list import resolve_checkpoint
from engine.commands import Command
from engine.config import SamplingConfig, with_settings
from engine.corpus import BatchStream
from engine.errors import CheckpointError, ConfigError, DivergedError, StorageError, TweetgenError
from engine.evaluation import evaluate
from engine.gru import TextGenerator
from engine.narrator import Narrator
from engine.preparation import Preparation, load_into
from engine.progress import BUDGETS, Progress, budget_used, budget_used_up
from engine.runtime import derived_seed
from engine.sampler import SampledTweet, TweetWriter, sample_tweets
from engine.saver import Saver
from engine.text import harmless
from engine.trainer import Trainer, learning_rate_at

REPORT_SECONDS = 0.1
"""How often steps are told; a screen draws at about this pace."""
PAUSED_POLL_SECONDS = 0.05
MAX_REFUSED_IN_A_ROW = 20
_DUE_SAMPLE, _ASKED_SAMPLE = 1, 2  # purposes of derived seeds


class TrainingLoop:
    """One run, from its first event but the failures to its last. Lives on the session's thread."""

    def __init__(self, preparation: Preparation, narrator: Narrator, inbox: queue.SimpleQueue[Command]) -> None:
        """Take everything over; nothing happens before `run`."""
        self._prepared = preparation
        self._narrator = narrator
        self._inbox = inbox
        self._waiting: deque[Command] = deque()
        self._trainer = preparation.trainer
        self._batches = preparation.batches
        self._training = preparation.training
        self._sampling = preparation.sampling
        self._progress = Progress.from_start(preparation.start)
        self._saver = Saver(preparation, narrator, self._progress)
        self._is_paused = False
        self._stop_reason: str | None = None
        self._num_asked_samples = 0

    def run(self) -> None:
        """Train until a command or the budget ends it. Raises what can't be helped; the caller tells it."""
        self._tell_start()
        last_report = time.monotonic()
        while self._stop_reason is None:
            self._follow_commands()
            if self._is_paused or self._stop_reason is not None:
                continue
            self._do_what_is_due()
            if self._waiting:
                continue
            self._take_step()
            if time.monotonic() - last_report >= REPORT_SECONDS:
                self._report()
                last_report = time.monotonic()
            self._stop_reason = budget_used_up(self._training, self._position())
        self._end(self._stop_reason)

    def _position(self) -> tuple[int, float, float]:
        """Return where the run stands in each kind of budget: steps, epochs, seconds."""
        return self._trainer.step_count, self._batches.epochs, self._narrator.stopwatch.seconds

    def _tell_start(self) -> None:
        """Tell the facts of the run, and make sure that it could be resumed from here."""
        prepared = self._prepared
        self._narrator.tell(
            events.RunStarted,
            run=prepared.folder.name,
            corpus=prepared.corpus.name,
            num_train_tweets=len(prepared.corpus.train),
            num_val_tweets=len(prepared.corpus.validation),
            vocab_size=len(prepared.vocab),
            num_parameters=self._trainer.model.num_parameters,
            device=str(prepared.runtime.device),
            precision=prepared.runtime.precision,
            num_threads=prepared.runtime.num_threads,
            model=prepared.model_config,
            training=self._training,
            sampling=self._sampling,
            resumed_from=prepared.resumed_from,
        )
        for message in prepared.warnings:
            self._narrator.tell(events.Warned, message=message)
        self._save("latest")

    def _take_step(self) -> None:
        """Learn from the next batch."""
        used = budget_used(self._training, self._position())
        batch = next(self._batches)
        self._trainer.step(batch, learning_rate_at(self._training, self._trainer.step_count, used))
        self._narrator.total_chars += batch.num_targets

    def _report(self) -> None:
        """Tell the steps so far; raises `DivergedError` where too many in a row were refused."""
        self._narrator.tell_steps()
        if self._narrator.refused_in_a_row >= MAX_REFUSED_IN_A_ROW:
            raise DivergedError(
                f"The loss or its gradient was not finite for {self._narrator.refused_in_a_row} steps in a row.",
                "Go on from a checkpoint with a lower --learning-rate.",
            )

    def _end(self, reason: str) -> None:
        """Save and tell the end; a run that used its budget up is evaluated once more."""
        self._report()
        if reason in BUDGETS and self._training.eval_every:
            self._evaluate()
        self._save("latest")
        self._narrator.tell(
            events.RunFinished,
            reason=reason,
            total_seconds=self._narrator.stopwatch.seconds,
            total_chars=self._narrator.total_chars,
        )

    # What is due ------------------------------------------------------------------------------------------------------

    def _do_what_is_due(self) -> None:
        """Write, evaluate and save as the step and the clock say."""
        step = self._trainer.step_count
        if _is_due(step, self._training.sample_every, self._progress.last_sample_step):
            self._write_due_tweet()
        if _is_due(step, self._training.eval_every, self._progress.last_eval_step):
            self._evaluate()
        if self._saver.seconds_since_latest >= self._training.autosave_seconds:
            self._save("latest")

    def _write_due_tweet(self) -> None:
        """Write the feed's next tweet; its seed depends on the step alone."""
        step = self._trainer.step_count
        self._progress.last_sample_step = step
        try:
            self._write_tweet(derived_seed(self._training.seed, _DUE_SAMPLE, step))
        except DivergedError as error:
            self._narrator.tell(events.Warned, message=error.message)

    def _write_tweet(self, seed: int) -> None:
        """Write one tweet, every character as the sampling is set at that moment."""
        writer = TweetWriter(self._trainer.model, self._prepared.vocab, self._sampling, [seed])
        while not writer.is_done:
            self._receive()
            writer.set_draw(self._sampling)
            writer.advance()
        [tweet] = writer.results()
        self._narrator.tell(events.TweetSampled, **self._facts(tweet))

    def _facts(self, tweet: SampledTweet) -> dict[str, object]:
        """Return what events say of a tweet."""
        return {
            "text": harmless(tweet.text),
            "temperature": tweet.temperature,
            "reached_eos": tweet.reached_eos,
            "bits_per_char": tweet.bits_per_char,
            "novelty": self._prepared.novelty.judge(tweet.text),
        }

    def _evaluate(self) -> None:
        """Read the validation tweets, unless a command can't wait that long: then it is still due afterwards."""
        if self._progress.last_eval_step == self._trainer.step_count:
            return
        self._narrator.tell_steps()
        model, tweets = self._trainer.model, self._prepared.val_tweets
        evaluation = evaluate(model, tweets, self._prepared.runtime, should_stop=self._must_interrupt)
        if evaluation is None:
            return
        if not math.isfinite(evaluation.total_nats):
            self._progress.last_eval_step = self._trainer.step_count
            self._narrator.tell(events.Warned, message="The validation loss is not finite.")
            return
        is_best = self._progress.note(self._trainer.step_count, evaluation)
        self._narrator.tell(
            events.EvalFinished,
            val_loss=evaluation.nats_per_char,
            bits_per_char=evaluation.bits_per_char,
            is_best=is_best,
        )
        if is_best:
            self._save("best")

    def _must_interrupt(self) -> bool:
        """Follow what can be followed in the middle of an evaluation; say whether something else is waiting."""
        self._receive()
        while self._waiting and isinstance(self._waiting[0], commands.SampleNow | commands.SampleLadder):
            self._try_to_follow(self._waiting.popleft())
        return bool(self._waiting)

    def _save(self, name: str) -> None:
        """Save one of the run's own checkpoints; where that fails, training goes on and the user is told."""
        try:
            self._saver.save_own(name, self._training, self._sampling, self._batches.position)
        except StorageError as error:
            self._narrator.tell(events.Warned, message=f"{error.message} {error.hint}")

    # Commands ---------------------------------------------------------------------------------------------------------

    def _receive(self) -> None:
        """Take in what has come; how the next character is drawn changes at once."""
        while True:
            try:
                command = self._inbox.get_nowait()
            except queue.Empty:
                return
            if isinstance(command, commands.SetSampling):
                self._try_to_follow(command)
            else:
                self._waiting.append(command)

    def _follow_commands(self) -> None:
        """Follow all that is waiting; while paused, wait for more."""
        if self._is_paused and not self._waiting:
            time.sleep(PAUSED_POLL_SECONDS)
        self._receive()
        while self._waiting and self._stop_reason is None:
            self._try_to_follow(self._waiting.popleft())
            self._receive()

    def _try_to_follow(self, command: Command) -> None:
        """Follow a command, or tell why not."""
        try:
            self._follow(command)
        except TweetgenError as error:
            self._narrator.tell(
                events.CommandRefused,
                command=type(command).__name__,
                title=error.title,
                detail=error.message,
                hint=error.hint,
            )

    def _follow(self, command: Command) -> None:
        """Do what a command asks for. Raises a `TweetgenError` before anything was changed."""
        match command:
            case commands.Pause():
                self._pause()
            case commands.Resume():
                self._resume()
            case commands.Stop(reason=reason):
                self._stop_reason = reason
            case commands.SetSampling(sampling=sampling):
                self._set_sampling(sampling)
            case commands.SetLearningRate(learning_rate=learning_rate):
                self._training = with_settings(self._training, {"learning_rate": learning_rate})
                self._narrator.tell(events.LearningRateChanged, learning_rate=learning_rate)
            case commands.SampleNow():
                self._num_asked_samples += 1
                step = self._trainer.step_count
                self._write_tweet(derived_seed(self._training.seed, _ASKED_SAMPLE, step, self._num_asked_samples))
            case commands.SampleLadder():
                self._climb_ladder(command)
            case commands.SaveCheckpoint(name=name, replace=replace):
                self._saver.save_named(name, self._training, self._sampling, self._batches.position, replace=replace)
            case commands.LoadCheckpoint(name=name):
                self._load(name)
            case _:
                assert_never(command)

    def _pause(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._narrator.tell_steps()
            self._narrator.stopwatch.pause()
            self._narrator.tell(events.Paused)

    def _resume(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._narrator.stopwatch.resume()
            self._narrator.tell(events.Resumed)

    def _set_sampling(self, sampling: SamplingConfig) -> None:
        self._prepared.vocab.encode_known(sampling.prime)
        if sampling != self._sampling:
            self._sampling = sampling
            self._narrator.tell(events.SamplingChanged, sampling=sampling)

    def _climb_ladder(self, command: commands.SampleLadder) -> None:
        """Write one tweet per temperature, all from one seed."""
        if not command.temperatures or command.seed < 0:
            raise ConfigError("A ladder takes at least one temperature, and a seed of at least 0.")
        temperatures = [SamplingConfig(temperature=value).temperature for value in command.temperatures]
        sampling = SamplingConfig(prime=command.prime, max_length=self._sampling.max_length)
        seeds = [command.seed] * len(temperatures)
        tweets = sample_tweets(self._trainer.model, self._prepared.vocab, sampling, seeds, temperatures)
        rungs = tuple(events.LadderTweet(**self._facts(tweet)) for tweet in tweets)  # type: ignore[arg-type] # by name
        self._narrator.tell(events.LadderSampled, prime=command.prime, seed=command.seed, rungs=rungs)

    def _load(self, name: str) -> None:
        """Go on from another checkpoint of the same vocabulary, whatever the shape of its model."""
        checkpoint = load_checkpoint(path := resolve_checkpoint(name))
        info = checkpoint.info
        if checkpoint.vocab != self._prepared.vocab:
            raise CheckpointError(
                f"{name} has another vocabulary: {len(info.vocab)} characters, not those of this run's tweets.",
                f"Start it with its own: tweetgen-tui --checkpoint {name}",
            )
        self._narrator.tell_steps()
        model = TextGenerator.from_config(len(checkpoint.vocab), info.model).to(self._prepared.runtime.device)
        trainer = Trainer(model, self._training, self._prepared.runtime)
        load_into(trainer, checkpoint, self._prepared.runtime)
        has_new_shape = info.model != self._prepared.model_config
        self._trainer = self._narrator.trainer = self._prepared.trainer = trainer
        self._prepared.model_config = info.model
        self._progress.go_to(info)
        self._narrator.start_rate_anew()
        self._batches = BatchStream(
            self._prepared.train_tweets, self._training.batch_size, self._training.seed, info.position
        )
        self._narrator.tell(events.CheckpointLoaded, name=name, path=str(path), bits_per_char=info.bits_per_char)
        if has_new_shape:
            self._narrator.tell(events.ModelChanged, model=info.model, num_parameters=model.num_parameters)


def _is_due(step: int, interval: int, last_step: int) -> bool:
    """Return whether what happens every `interval` steps (0: never), last at `last_step`, is due at `step`."""
    return interval > 0 and step % interval == 0 and step != last_step
