"""Samples tweets from the model of a run, when they are due or asked for, and answers queries about it.

A run on a single tweet, the tutorial's part (c), samples it at steps 1, 2, 4 and every 4 steps, until `EXACT_SAMPLES`
in a row equal it at a loss below `LOW_LOSS`; later at the run's interval. Then the run finishes. All of it depends on
the steps and on what a checkpoint stores, so that a resume is exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from engine.compute.device import Draw, derived_seed
from engine.config.sampling import MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.corpus.hashing import novelty_of
from engine.errors import ConfigError, DeviceMemoryError, DivergedError, RunEndsError, TweetgenError
from engine.protocol import events
from engine.sampling.filter import TweetFilter, draft_tweets
from engine.sampling.queries import Completion, complete, nearest_tweet, score_chars, unknown_chars
from engine.sampling.sampler import SampledTweet, TweetSampler
from engine.session.evaluation import RateLimiter
from engine.session.settings import plan_finish
from engine.session.state import Run
from engine.text import is_harmless, sanitize
from engine.training.schedule import is_due_when_overfitting, is_sample_step

MAX_SAMPLE_SHARE = 0.02
"""Largest share of the time that due samples take."""
SAMPLE_SECONDS = 2.0
"""Least time between two due samples: often enough to watch, and a day of them is some 25 MB of events."""
LATE_SECONDS = 2.0
"""A tweet whose drafts take longer is reported, and again every `_LATE_INTERVAL_SECONDS`."""
_LATE_INTERVAL_SECONDS = 0.5
MIN_WAIT_SECONDS = 4.0
"""A tweet that waits longer for its share of time is reported; without a filter, it waits about two seconds."""
MAX_READ_CHARS = 2000
MAX_RUNGS = 64
"""Temperatures of a ladder: a command may come from anyone, and blocks training while it is executed."""
LOW_LOSS = 0.05
"""Nats per character; the tutorial's own limit."""
EXACT_SAMPLES = 3
MAX_PROMPT_CHARS = 16
MAX_SHOWN_CHARS = 60


class Sampling:
    """Samples from the current model of one run. Used by the session's thread only.

    `receive_sampling` is called for the sampling settings of each character; it may raise a `TweetgenError`.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._data = run.setup.training_data
        self._limiter = RateLimiter(lambda: run.state.stopwatch.seconds, SAMPLE_SECONDS, MAX_SAMPLE_SHARE)
        self._sampled_with = run.state.sampling
        self._num_requested = 0
        self._overfit = self._data.corpus.train[0] if self._data.config.overfit is not None else None
        """The tweet of a run on a single one."""

    # Due tweets -------------------------------------------------------------------------------------------------------
    def sample_if_due(self, receive_sampling: Callable[[], SamplingConfig]) -> bool:
        """Sample a tweet if one is due at this step; return false for one that was abandoned, which is due again.

        The seed depends on the step alone. A tweet that can't be sampled is not due again.
        """
        if not self._is_due():
            return True
        run, state, progress, limiter = self._run, self._run.state, self._run.state.progress, self._limiter
        last_sample_step, progress.last_sample_step = progress.last_sample_step, state.step
        run.reporter.emit_steps()  # waits for the steps queued on a GPU, which are not part of the sampling time
        try:
            seed = derived_seed(state.training.seed, Draw.DUE_TWEET, state.step)
            with (
                limiter.working(),
                state.timer.during("sampling"),
                run.oom.memory_errors("sampling a tweet"),
            ):
                text = self.sample_tweet(receive_sampling, seed)
            seconds, is_due_by_time = limiter.seconds_left, state.training.sample_pacing == "seconds"
            if self._overfit is not None:
                self._record_overfit_sample(text)
            elif state.sampling.has_filter and is_due_by_time and seconds > MIN_WAIT_SECONDS:  # the drafts took long
                fields = {"num_drafts": 0, "max_drafts": MAX_DRAFTS_IN_RUN, "due_in_seconds": seconds}
                run.reporter.emit(events.TweetDelayed, **fields)
        except (DivergedError, DeviceMemoryError) as error:
            run.reporter.emit(events.Warned, message=error.message)
        except RunEndsError:
            progress.last_sample_step = last_sample_step  # a resumed run samples it
            return False
        return True

    def _is_due(self) -> bool:
        state, training, limiter = self._run.state, self._run.state.training, self._limiter
        last_step = state.progress.last_sample_step
        if state.step == last_step or not training.sample_every:
            return False
        if state.sampling != self._sampled_with:  # for example, a slow filter is off now
            self._sampled_with = state.sampling
            limiter.forget_share()
        is_due_by_step = is_sample_step(training, state.step)
        if training.sample_pacing == "seconds":
            return is_due_by_step or limiter.allows_work
        if is_due_by_step and (training.pacing == "steps" or limiter.allows_work):
            return True
        is_learning = self._overfit is not None and state.progress.num_exact_samples < EXACT_SAMPLES
        return is_learning and is_due_when_overfitting(state.step, last_step)

    # A run on a single tweet ------------------------------------------------------------------------------------------
    def _record_overfit_sample(self, text: str) -> None:
        """Record the sample of this step; the run finishes once enough in a row equal the tweet."""
        state = self._run.state
        progress = state.progress
        is_low = progress.train_loss is not None and progress.train_loss < LOW_LOSS
        progress.num_exact_samples = progress.num_exact_samples + 1 if is_low and text == self._overfit else 0
        is_ending = progress.finish is not None or state.end_reason is not None
        if progress.num_exact_samples == EXACT_SAMPLES and not is_ending:
            plan_finish(self._run, on=True)

    def emit_outcome(self, receive_sampling: Callable[[], SamplingConfig]) -> None:
        """Sample what a model of a single tweet writes after the start of another; emit what was learned and what not.

        Does nothing in other runs.
        """
        if self._overfit is None:
            return
        evaluation = self._run.oom.evaluate(self._run.setup.val_tweets, lambda: False)
        if not math.isfinite(evaluation.nats_per_char):
            return
        state, proof = self._run.state, ""
        prompt = start_of_another(self._overfit, self._data.corpus.others, self._data.vocab.chars)
        if prompt:
            seed = derived_seed(state.training.seed, Draw.LAST_TWEET, state.step)
            try:
                with self._run.oom.memory_errors("sampling a tweet"):
                    text = self.sample_tweet(lambda: receive_sampling().without_filter(), seed, prompt)
                written = sanitize(text.removeprefix(prompt), MAX_SHOWN_CHARS)
                proof = f"given “{prompt}” it continues with “{written}”"
            except TweetgenError:
                pass
        message = outcome_text(evaluation.nats_per_char, proof)
        self._run.reporter.emit(events.Warned, message=message, kind="outcome")

    # Tweets and queries -----------------------------------------------------------------------------------------------
    def sample_now(self, receive_sampling: Callable[[], SamplingConfig], prime: str | None, draw: int | None) -> None:
        """Sample a tweet: that of the completion with this `draw`, or another one each time, and none that is due."""
        self._num_requested += 1
        state = self._run.state
        if draw is None:
            seed = derived_seed(state.training.seed, Draw.REQUESTED_TWEET, state.step, self._num_requested)
        else:
            seed = self._completion_seed(draw)
        self.sample_tweet(receive_sampling, seed, prime)

    def sample_tweet(self, receive_sampling: Callable[[], SamplingConfig], seed: int, prime: str | None = None) -> str:
        """Sample and emit one tweet that passes the filter or comes nearest; return its text.

        Prime, maximum length and filter are those of the first character. Raises `DivergedError` on a model with
        non-finite logits, `VocabError` where `prime` has an unknown character, `ConfigError` where it is too long or
        has an avoided word.
        """
        first = receive_sampling() if prime is None else replace(receive_sampling(), prime=prime)
        first.require_satisfiable()
        model, vocab = self._run.state.trainer.eval_model, self._data.vocab
        has_drafts = first.has_filter and first.temperature > 0
        clock, num_drafts = self._run.state.stopwatch.clock, 0
        late_at = clock() + LATE_SECONDS if has_drafts else math.inf

        def sample(seeds: Sequence[int]) -> list[SampledTweet]:
            nonlocal num_drafts, late_at
            sampler = TweetSampler(model, vocab, first, seeds)
            while not sampler.is_done:
                sampler.sampling = receive_sampling()
                sampler.advance()
                if has_drafts and (now := clock()) > late_at:
                    late_at = now + _LATE_INTERVAL_SECONDS
                    fields = {"num_drafts": num_drafts, "max_drafts": MAX_DRAFTS_IN_RUN}
                    self._run.reporter.emit(events.TweetDelayed, **fields)
            num_drafts += len(seeds)
            return sampler.results()

        copied_share = self._data.corpus.novelty.copied_share
        [chosen] = draft_tweets(sample, TweetFilter(first, copied_share), [seed], MAX_DRAFTS_IN_RUN)
        tweet = chosen.draft
        share = copied_share(tweet.text)
        self._run.reporter.emit(
            events.TweetSampled,
            **_common_fields(tweet, share),
            copied_share=round(share, 3),
            char_bits=tweet.char_bits if is_harmless(tweet.text) else (),
            prime=first.prime,
            num_drafts=chosen.num_drafts,
            refused=chosen.refused,
            unmet=chosen.unmet,
        )
        return tweet.text

    def sample_ladder(self, prime: str, seed: int, temperatures: Sequence[float]) -> None:
        """Sample one tweet per temperature, all from one seed. Raises `ConfigError`, `VocabError`, `DivergedError`."""
        if not 1 <= len(temperatures) <= MAX_RUNGS or seed < 0:
            raise ConfigError(f"A ladder needs 1 to {MAX_RUNGS} temperatures and a seed of at least 0.")
        sampling = SamplingConfig(prime=prime, max_length=self._run.state.sampling.max_length)
        checked = [SamplingConfig(temperature=temperature).temperature for temperature in temperatures]
        model, vocab = self._run.state.trainer.eval_model, self._data.vocab
        tweets = TweetSampler(model, vocab, sampling, [seed] * len(checked), checked).results()
        shares = [self._data.corpus.novelty.copied_share(tweet.text) for tweet in tweets]
        rungs = tuple(events.LadderTweet(**fields) for fields in map(_common_fields, tweets, shares))
        self._run.reporter.emit(events.LadderSampled, prime=prime, seed=seed, rungs=rungs)

    def complete_text(self, text: str, request: int, draw: int) -> None:
        """Continue a text, as the answer to `request`; with the same `draw`, only training changes the continuation.

        Raises `DivergedError`, `ConfigError`.
        """
        seed = self._completion_seed(draw)
        _check_length(text, 0)
        state, vocab = self._run.state, self._data.vocab
        unknown = unknown_chars(vocab, text)
        completion = Completion() if unknown else complete(state.trainer.eval_model, vocab, state.sampling, text, seed)
        self._run.reporter.emit(
            events.TextCompleted,
            request=request,
            completion=tuple(completion.text),
            reached_eos=completion.reached_eos,
            next_chars=completion.next_chars,
            unknown_chars=unknown,
            bits_per_char=completion.bits_per_char,
        )

    def _completion_seed(self, draw: int) -> int:
        """Return the seed of a completion. Raises `ConfigError`."""
        if draw < 0:
            raise ConfigError("A draw must be at least 0.")
        return derived_seed(self._run.state.training.seed, Draw.COMPLETION, *([draw] if draw else []))

    def read_tweet(self, text: str) -> None:
        """Emit the model's predictions along a text, and the training tweet nearest to it.

        Raises `ConfigError` where it is too long, `DivergedError` on a model with non-finite logits.
        """
        _check_length(text, 1)
        data = self._data
        chars = score_chars(self._run.state.trainer.eval_model, data.vocab, text)
        nearest = nearest_tweet(data.corpus.train, text)
        self._run.reporter.emit(
            events.TweetRead,
            text=text,
            chars=chars,
            bits_per_char=sum(char.bits for char in chars) / len(chars),
            copied_share=round(data.corpus.novelty.copied_share(text), 3),
            nearest=nearest.text,
            nearest_share=nearest.share,
        )


def _common_fields(tweet: SampledTweet, copied_share: float) -> dict[str, Any]:
    """Return the fields that `TweetSampled` and `LadderTweet` have in common."""
    return {
        "text": sanitize(tweet.text),
        "temperature": tweet.temperature,
        "reached_eos": tweet.reached_eos,
        "bits_per_char": tweet.bits_per_char,
        "novelty": novelty_of(copied_share),
    }


def _check_length(text: str, min_chars: int) -> None:
    """Raise `ConfigError` unless `text` has `min_chars` to `MAX_READ_CHARS` characters."""
    if not min_chars <= len(text) <= MAX_READ_CHARS:
        raise ConfigError(f"The text must have {min_chars} to {MAX_READ_CHARS:,} characters, not {len(text):,}.")


def outcome_text(loss: float, proof: str) -> str:
    """Return the sentence about the loss of the tweet, nats per character; `proof` is a clause or empty."""
    bits, low_bits = (f"{nats / math.log(2):.2g}" for nats in (loss, LOW_LOSS))
    if loss < LOW_LOSS:
        verdict = f"Loss {bits} bits/char: the model knows this tweet by heart; it knows nothing else"
    else:
        verdict = (
            f"Loss {bits} bits/char: the model does not know this tweet by heart, which takes less than {low_bits}"
        )
    return f"{verdict}: {proof}." if proof else f"{verdict}."


def start_of_another(tweet: str, others: Iterable[str], chars: Iterable[str]) -> str:
    """Return the longest start of one of `others` that consists of `chars` and is no start of `tweet`; "" if none.

    It has at most `MAX_PROMPT_CHARS` characters, and whole words if there is one.
    """
    known, longest = frozenset(chars), ""
    for other in others:
        start = "".join(takewhile(known.__contains__, other[:MAX_PROMPT_CHARS]))
        if not other.startswith(f"{start} ") and start != other:  # cut within a word
            start = start.rpartition(" ")[0] or start
        start = start.strip()
        if len(start) > len(longest) and not tweet.startswith(start):
            longest = start
    return longest
