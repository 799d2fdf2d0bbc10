"""A run on tweets that its weights were not trained on: from the shipped model, or from a checkpoint.

Characters that the vocabulary lacks get rows of their own, steps count on, figures and clock start empty.
"""

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
    latest,
    losses,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    stop_at,
    tiny_config,
    write_corpus,
)
from tests.engine.session.ranks.shared_runs import run_shared
from tests.engine.session.saved_runs import branch_config, info_of, tensors_of

# From the shipped model -----------------------------------------------------------------------------------------------


FEW: dict[str, Any] = {"max_steps": 4, "batch_size": 8, "sample_every": 0, "eval_every": 0, "seed": 3}
STILL: dict[str, Any] = {**FEW, "ngram_order": 4, "learning_rate": 1e-8}
"""A run whose weights hardly change."""


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


def test_a_run_on_a_small_corpus_starts_from_the_shipped_weights_with_rows_for_its_own_characters_and_contexts(
    english: Path,
) -> None:
    emitted = run_session(own(english, settings=STILL))
    run_session(own(english, settings=STILL, from_scratch=True, run_name="cold"))

    started = only(emitted, e.RunStarted)
    assert started.is_warm_start
    assert "the shipped model" in started.training.preset_reason
    base = load_base()
    after, cold = (load_checkpoint(find_run(run).checkpoint_path("latest")) for run in ("tiny", "cold"))
    num_known = len(base.vocab)
    assert after.info.vocab[: len(base.info.vocab)] == base.info.vocab
    assert "零" in after.info.vocab
    for name in ("embed.weight", "proj.bias", "rnn.weight_hh_l0"):
        weights, known = after.tensors[f"model.{name}"], base.tensors[f"model.{name}"]
        rows = weights if name.startswith("rnn") else weights[:num_known]
        torch.testing.assert_close(rows, known, atol=1e-6, rtol=0)
    assert after.info.model.ngram_contexts == cold.info.model.ngram_contexts > 0
    table = after.tensors["model.ngram_input.weight"]
    torch.testing.assert_close(table, torch.zeros_like(table), atol=1e-6, rtol=0)


def test_a_warm_start_beats_random_weights_repeats_with_a_seed_and_resumes_bit_for_bit(english: Path) -> None:
    whole, again = run_session(own(english, run_name="whole")), run_session(own(english, run_name="again"))
    shared = run_shared(own(english, run_name="shared"))
    cold = run_session(own(english, from_scratch=True, run_name="cold"))
    run_session(own(english), stop_at(2))
    rest = run_session(resume_config("tiny"))

    assert losses(again) == losses(whole)
    assert losses(rest) == {step: loss for step, loss in losses(whole).items() if step > 2}
    assert of_type(rest, e.Warned) == []
    assert_same_tensors(*(tensors_of(run) for run in ("tiny", "whole")))
    assert losses(whole)[1] < losses(cold)[1] - 0.5
    assert [only(each, e.RunStarted).is_warm_start for each in (cold, shared)] == [False, True]
    assert losses(shared) == pytest.approx(losses(whole), abs=1e-4)


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": "tutorial"},
        {"from_scratch": True},
        *({"settings": {name: 64}} for name in ("hidden_size", "embedding_size")),
        {"settings": {"num_layers": 2}},
        {"corpus": None},
        {"corpus": CorpusConfig()},
        {"corpus": CorpusConfig(files=("english.txt",), overfit=3)},
    ],
    ids=str,
)
def test_what_excludes_a_warm_start(english: Path, changes: dict[str, Any]) -> None:
    assert find_start(own(english), None).base is not None
    assert find_start(replace(own(english), **changes), None).base is None


# From a checkpoint whose vocabulary lacks characters ------------------------------------------------------------------


def onto(corpus: Path, run_name: str) -> RunConfig:
    """Return the config that continues from `tiny` on other tweets."""
    return branch_config(corpus, run_name, max_steps=9)


def test_new_characters_follow_the_known_ones_and_the_run_repeats_and_resumes_bit_for_bit(
    corpus: Path, home: Path
) -> None:
    run_session(tiny_config(corpus, average_lag=0.2, dropout=0.2, ngram_order=4), stop_at(3))
    vocab = latest().vocab
    loud = write_corpus(home, [f"{tweet.upper()} ЖÉ零" for tweet in small_tweets()], "loud.txt")

    whole, again = run_session(onto(loud, "whole")), run_session(onto(loud, "again"))
    run_session(onto(loud, "parts"), stop_at(6))
    rest = run_session(resume_config("parts"))

    found = info_of("whole").vocab
    assert found[: len(vocab)] == vocab
    assert set(found[len(vocab) :]) == set(loud.read_text(encoding="utf-8")) - {"\n"} - set(vocab)
    assert only(whole, e.RunStarted).vocab_size == 4 + len(found)
    assert losses(again) == losses(whole)
    assert losses(rest) == {step: loss for step, loss in losses(whole).items() if step > 6}
    assert of_type(rest, e.Warned) == []
    assert_same_tensors(tensors_of("parts"), tensors_of("whole"))


def test_ranks_grow_the_vocabulary_alike(corpus: Path, home: Path) -> None:
    run_session(tiny_config(corpus), stop_at(3))
    loud = write_corpus(home, [tweet.upper() for tweet in small_tweets()], "loud.txt")
    alone = run_session(onto(loud, "alone"))
    shared = run_shared(onto(loud, "shared"))

    assert only(shared, e.RunStarted).vocab_size == only(alone, e.RunStarted).vocab_size > 4 + len(latest().vocab)
    assert losses(shared) == pytest.approx(losses(alone), abs=1e-5)
