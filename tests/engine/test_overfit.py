"""The tutorial's part (c): one tweet, its own characters only, learned by heart within a thousand steps."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from engine import commands as c
from engine import events as e
from engine.commands import Command
from engine.config import PresetName, RunConfig, RuntimeConfig
from engine.corpus_config import CorpusConfig
from engine.events import Event
from tests.engine.helpers import losses, only, run_session, small_tweets, write_corpus

TWEET = "@pip_9 woke up to snow & pancakes, sooo happy!!! best day ever :) #winter <3"
ROW = 7


@pytest.fixture
def corpus(home: Path) -> Path:
    tweets = small_tweets()
    return write_corpus(home, [*tweets[:ROW], TWEET, *tweets[ROW:]])


def overfit(corpus: Path, preset: PresetName) -> RunConfig:
    return RunConfig(
        preset=preset,
        corpus=CorpusConfig(files=(str(corpus),), overfit=ROW),
        settings={"temperature": 0.0, "sample_every": 0},
        runtime=RuntimeConfig(device="cpu", precision="float32", threads=1),
        run_name="one",
    )


@pytest.mark.parametrize("preset", ["auto", "tutorial"])
def test_one_tweet_is_learned_by_heart_within_a_thousand_steps(corpus: Path, preset: PresetName) -> None:
    def enough(event: Event) -> Iterable[Command]:
        is_below = isinstance(event, e.StepsFinished) and event.train_losses[-1] < 0.04
        return [c.Stop()] if isinstance(event, e.TweetSampled) else [c.SampleNow()] if is_below else []

    told = run_session(overfit(corpus, preset), on_event=enough)

    started = only(told, e.RunStarted)
    assert (started.num_train_tweets, started.vocab_size) == (1, len(set(TWEET)) + 4)
    assert started.training.max_steps == 1000
    assert losses(told)[told[-1].step] < 0.05
    assert told[-1].step < 1000
    tweet = only(told, e.TweetSampled)
    assert (tweet.text, tweet.novelty, tweet.reached_eos) == (TWEET, "copy", True)
