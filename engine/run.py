"""`Run`: a run as it is at this moment, and each thing that can be done with it between two steps, as one method.

It knows neither when to do them (`engine.loop`) nor who asked. What it does, it tells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from engine import events
from engine.checkpoint import load_checkpoint
from engine.checkpoint_list import resolve_checkpoint
from engine.config import SamplingConfig, with_settings
from engine.errors import CheckpointError, ConfigError, StorageError
from engine.evaluation import evaluate
from engine.gru import TextGenerator
from engine.narrator import Narrator
from engine.preparation import Preparation, load_into
from engine.progress import Progress, budget_used
from engine.sampler import SampledTweet, TweetWriter, sample_tweets
from engine.saver import Saver
from engine.text import harmless
from engine.trainer import Trainer, learning_rate_at


class Run:
    """One run. Used by the session's thread only."""

    def __init__(self, preparation: Preparation, narrator: Narrator) -> None:
        """Take everything over; nothing is done yet."""
        self.trainer = preparation.trainer
        self.batches = preparation.batches
        self.training = preparation.training
        self.sampling = preparation.sampling
        self.progress = Progress.from_start(preparation.start)
        self.is_paused = False
        self._prepared = preparation
        self._narrator = narrator
        self._saver = Saver(preparation, narrator, self.progress)

    @property
    def position(self) -> tuple[int, float, float]:
        """Where the run stands in each kind of budget: steps, epochs, seconds."""
        return self.trainer.step_count, self.batches.epochs, self._narrator.stopwatch.seconds

    @property
    def seconds_since_saved(self) -> float:
        """Seconds since `latest` was saved, or tried to."""
        return self._saver.seconds_since_latest

    def begin(self) -> None:
        """Tell the facts of the run, and make sure that it could be resumed from here."""
        prepared = self._prepared
        self._narrator.tell(
            events.RunStarted,
            run=prepared.folder.name,
            corpus=prepared.material.corpus.name,
            num_train_tweets=self.batches.tweets_per_epoch,
            num_val_tweets=len(prepared.material.corpus.validation),
            vocab_size=len(prepared.material.vocab),
            num_parameters=self.trainer.model.num_parameters,
            device=str(prepared.runtime.device),
            precision=prepared.runtime.precision,
            num_threads=prepared.runtime.num_threads,
            model=prepared.model_config,
            training=self.training,
            sampling=self.sampling,
            resumed_from=prepared.resumed_from,
        )
        for message in prepared.warnings:
            self._narrator.tell(events.Warned, message=message)
        self.save("latest")

    def take_step(self) -> None:
        """Learn from the next batch; told together with other steps, by the narrator."""
        used = budget_used(self.training, self.position)
        batch = next(self.batches)
        self.trainer.step(batch, learning_rate_at(self.training, self.trainer.step_count, used))
        self._narrator.total_chars += batch.num_targets

    def write_tweet(self, seed: int, before_char: Callable[[], None]) -> None:
        """Write one tweet. `before_char` may set the sampling anew, for the very next character.

        Raises `DivergedError` on a model that has gone wrong.
        """
        writer = TweetWriter(self.trainer.model, self._prepared.material.vocab, self.sampling, [seed])
        while not writer.is_done:
            before_char()
            writer.set_draw(self.sampling)
            writer.advance()
        [tweet] = writer.results()
        self._narrator.tell(events.TweetSampled, **self._facts(tweet))

    def climb_ladder(self, prime: str, seed: int, temperatures: Sequence[float]) -> None:
        """Write one tweet per temperature, all from one seed. Raises `ConfigError`, `VocabError`, `DivergedError`."""
        if not temperatures or seed < 0:
            raise ConfigError("A ladder takes at least one temperature, and a seed of at least 0.")
        checked = [SamplingConfig(temperature=temperature).temperature for temperature in temperatures]
        sampling = SamplingConfig(prime=prime, max_length=self.sampling.max_length)
        seeds = [seed] * len(checked)
        tweets = sample_tweets(self.trainer.model, self._prepared.material.vocab, sampling, seeds, checked)
        rungs = tuple(events.LadderTweet(**self._facts(tweet)) for tweet in tweets)  # type: ignore[arg-type] # by name
        self._narrator.tell(events.LadderSampled, prime=prime, seed=seed, rungs=rungs)

    def _facts(self, tweet: SampledTweet) -> dict[str, object]:
        """Return what events say of a tweet."""
        return {
            "text": harmless(tweet.text),
            "temperature": tweet.temperature,
            "reached_eos": tweet.reached_eos,
            "bits_per_char": tweet.bits_per_char,
            "novelty": self._prepared.material.corpus.novelty.judge(tweet.text),
        }

    def evaluate(self, should_stop: Callable[[], bool]) -> None:
        """Read the validation tweets, once a step; where `should_stop` says so, it is still to be done afterwards."""
        if self.progress.last_eval_step == self.trainer.step_count:
            return
        self._narrator.tell_steps()
        evaluation = evaluate(self.trainer.model, self._prepared.val_tweets, self._prepared.runtime, should_stop)
        if evaluation is None:
            return
        if not math.isfinite(evaluation.total_nats):
            self.progress.last_eval_step = self.trainer.step_count
            self._narrator.tell(events.Warned, message="The validation loss is not finite.")
            return
        is_best = self.progress.note(self.trainer.step_count, evaluation)
        self._narrator.tell(
            events.EvalFinished,
            val_loss=evaluation.nats_per_char,
            bits_per_char=evaluation.bits_per_char,
            is_best=is_best,
        )
        if is_best:
            self.save("best")

    def save(self, name: str) -> None:
        """Save the run's own `latest`, `best` or `step-N`; where that fails, training goes on and the user is told."""
        try:
            self._saver.save_own(name, self.training, self.sampling, self.batches.position)
        except StorageError as error:
            self._narrator.tell(events.Warned, message=f"{error.message} {error.hint}")

    def save_named(self, name: str, *, replace: bool) -> None:
        """Save under the user's name. Raises `ConfigError` and `StorageError`."""
        self._saver.save_named(name, self.training, self.sampling, self.batches.position, replace=replace)

    def pause(self) -> None:
        """Let the time stand still."""
        if not self.is_paused:
            self.is_paused = True
            self._narrator.tell_steps()
            self._narrator.stopwatch.pause()
            self._narrator.tell(events.Paused)

    def resume(self) -> None:
        """Let the time go on."""
        if self.is_paused:
            self.is_paused = False
            self._narrator.stopwatch.resume()
            self._narrator.tell(events.Resumed)

    def set_sampling(self, sampling: SamplingConfig) -> None:
        """Draw the next character this way. Raises `VocabError` where the prime holds an unknown character."""
        self._prepared.material.vocab.encode_known(sampling.prime)
        self.sampling = sampling
        self._narrator.tell(events.SamplingChanged, sampling=sampling)

    def set_learning_rate(self, learning_rate: float) -> None:
        """Make this the highest learning rate. Raises `ConfigError`."""
        self.training = with_settings(self.training, {"learning_rate": learning_rate})
        self._narrator.tell(events.LearningRateChanged, learning_rate=learning_rate)

    def load(self, name: str) -> None:
        """Go on from another checkpoint of the same vocabulary, whatever the shape of its model.

        What was learned so far is kept as the run's own checkpoint `step-N`.
        Raises `CheckpointError` before anything was changed.
        """
        checkpoint = load_checkpoint(path := resolve_checkpoint(name))
        info, prepared = checkpoint.info, self._prepared
        if checkpoint.vocab != prepared.material.vocab:
            raise CheckpointError(
                f"{name} has another vocabulary: {len(info.vocab)} characters, not those of this run's tweets.",
                f"Start it with its own: tweetgen-tui --checkpoint {name}",
            )
        self._narrator.tell_steps()
        if self.trainer.step_count > 0:
            self.save(f"step-{self.trainer.step_count}")
        model = TextGenerator.from_config(len(checkpoint.vocab), info.model).to(prepared.runtime.device)
        trainer = Trainer(model, self.training, prepared.runtime)
        load_into(trainer, checkpoint, prepared.runtime)
        has_new_shape = info.model != prepared.model_config
        self.trainer = self._narrator.trainer = prepared.trainer = trainer
        prepared.model_config = info.model
        self.progress.go_to(info)
        self._narrator.start_rate_anew()
        self.batches = prepared.material.batches(self.training, info.position)
        self._narrator.tell(events.CheckpointLoaded, name=name, path=str(path), bits_per_char=info.bits_per_char)
        if has_new_shape:
            self._narrator.tell(events.ModelChanged, model=info.model, num_parameters=model.num_parameters)
