"""A warm start: a run on a small corpus of the user's starts from the shipped model, unless something excludes it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig, RuntimeConfig
from engine.protocol import events as e
from engine.session.startup.start import find_start, load_base
from engine.storage.folders import find_run
from tests.engine.helpers import (
    assert_same_tensors,
    losses,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    stop_at,
    write_corpus,
)
from tests.engine.session.ranks.shared_runs import run_shared
from tests.engine.session.saved_runs import tensors_of

FEW: dict[str, Any] = {"max_steps": 4, "batch_size": 8, "sample_every": 0, "eval_every": 0, "seed": 3}


@pytest.fixture
def english(home: Path) -> Path:
    """Write English tweets, with one character that the shipped model's vocabulary lacks."""
    assert "零" not in load_base().info.vocab
    who = ("my sister", "the neighbour", "our old teacher", "a friend of mine")
    did = ("baked", "lost", "painted", "sold", "carried home", "wrote about")
    what = ("a huge cake!", "the red bicycle", "two tickets :)", "an umbrella 零", "the garden fence")
    return write_corpus(home, [f"{a} {b} {c}" for a, b, c in product(who, did, what)], "english.txt")


def own(corpus: Path, **changes: Any) -> RunConfig:
    """Return the config of a short run of the preset `auto` on a corpus of the user's."""
    files = CorpusConfig(files=(str(corpus),))
    runtime = RuntimeConfig(device="cpu", precision="float32", threads=1)
    return replace(RunConfig(settings=FEW, corpus=files, runtime=runtime, run_name="tiny"), **changes)


def test_a_run_on_a_small_corpus_starts_from_the_shipped_weights_and_a_larger_vocabulary(english: Path) -> None:
    emitted = run_session(own(english, settings={**FEW, "learning_rate": 1e-8}))

    started = only(emitted, e.RunStarted)
    assert started.is_warm_start
    assert "the shipped model" in started.training.preset_reason
    base, after = load_base(), load_checkpoint(find_run("tiny").checkpoint_path("latest"))
    num_known = len(base.vocab)
    assert after.info.vocab[: len(base.info.vocab)] == base.info.vocab
    assert "零" in after.info.vocab
    for name in ("embed.weight", "proj.bias", "rnn.weight_hh_l0"):
        weights, known = after.tensors[f"model.{name}"], base.tensors[f"model.{name}"]
        rows = weights if name.startswith("rnn") else weights[:num_known]
        torch.testing.assert_close(rows, known, atol=1e-6, rtol=0)


def test_a_warm_start_predicts_the_first_batch_better_than_random_weights(english: Path) -> None:
    warm, cold = run_session(own(english)), run_session(own(english, from_scratch=True, run_name="cold"))
    assert losses(warm)[1] < losses(cold)[1] - 0.5
    assert not only(cold, e.RunStarted).is_warm_start


def test_the_ngram_input_of_a_warm_start_has_a_row_of_zeros_for_each_frequent_context_of_the_new_tweets(
    english: Path,
) -> None:
    settings = {**FEW, "ngram_order": 4, "learning_rate": 1e-8}
    run_session(own(english, settings=settings))
    run_session(own(english, settings=settings, from_scratch=True, run_name="cold"))

    warm, cold = (load_checkpoint(find_run(run).checkpoint_path("latest")) for run in ("tiny", "cold"))
    assert warm.info.model.ngram_contexts == cold.info.model.ngram_contexts > 0
    weight = warm.tensors["model.ngram_input.weight"]
    torch.testing.assert_close(weight, torch.zeros_like(weight), atol=1e-6, rtol=0)


def test_a_warm_start_repeats_with_a_seed_and_resumes_bit_for_bit(english: Path) -> None:
    whole = run_session(own(english, run_name="whole"))
    again = run_session(own(english, run_name="again"))
    run_session(own(english), stop_at(2))
    rest = run_session(resume_config("tiny"))

    assert losses(again) == losses(whole)
    assert losses(rest) == {step: loss for step, loss in losses(whole).items() if step > 2}
    assert of_type(rest, e.Warned) == []
    assert_same_tensors(*(tensors_of(run) for run in ("tiny", "whole")))


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": "tutorial"},
        {"from_scratch": True},
        {"settings": {"hidden_size": 64}},
        {"settings": {"num_layers": 2}},
        {"settings": {"embedding_size": 64}},
    ],
    ids=lambda changes: str(*changes.items()),
)
def test_settings_that_exclude_a_warm_start(english: Path, changes: dict[str, Any]) -> None:
    assert find_start(own(english), None).base is not None
    assert find_start(replace(own(english), **changes), None).base is None


def test_neither_the_embedded_corpus_nor_a_single_tweet_has_a_warm_start(english: Path) -> None:
    for corpus in (None, CorpusConfig(), CorpusConfig(files=(str(english),), overfit=3)):
        assert find_start(replace(own(english), corpus=corpus), None).base is None


def test_a_file_with_many_characters_that_the_shipped_model_lacks_starts_from_random_weights_and_a_warning_says_why(
    home: Path,
) -> None:
    corpus = write_corpus(home, [f"{tweet} 零壹贰叁" for tweet in small_tweets()], "foreign.txt")

    emitted = run_session(own(corpus))

    assert not only(emitted, e.RunStarted).is_warm_start
    [message] = [event.message for event in of_type(emitted, e.Warned)]
    assert "random weights" in message
    assert " % of the characters of these tweets, more than 5.0 %." in message
    assert not of_type(run_session(own(corpus, from_scratch=True, run_name="cold")), e.Warned)


def test_ranks_start_from_the_shipped_weights_alike(english: Path) -> None:
    alone, shared = run_session(own(english, run_name="alone")), run_shared(own(english))
    assert only(shared, e.RunStarted).is_warm_start
    assert losses(shared) == pytest.approx(losses(alone), abs=1e-4)
