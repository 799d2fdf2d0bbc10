"""`ShowBatch`: the batch that was trained on or is next, its rows without padding, and what sorting saves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from engine.config.corpus import CorpusConfig
from engine.corpus.batches import padding_shares
from engine.model.vocab import BOS, UNK
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.batch_service import MAX_CHARS, MAX_ROWS
from engine.text import LOST
from tests.engine.compute.gpu.device_steps import use_device_step
from tests.engine.helpers import (
    Script,
    losses,
    of_type,
    only,
    run_session,
    small_tweets,
    tiny_config,
    write_corpus,
)


def test_the_batch_of_the_last_step_is_shown_without_padding_the_first_one_also_before_it_is_trained_on(
    corpus: Path,
) -> None:
    emitted = run_session(tiny_config(corpus), {0: [c.ShowBatch()], 1: [c.ShowBatch()], 2: [c.ShowBatch()]})
    before, after, second = of_type(emitted, e.BatchShown)
    assert (before.step, before.batch_step, after.batch_step, second.batch_step) == (0, 1, 1, 2)
    assert before.rows == after.rows != second.rows
    assert losses(emitted) == losses(run_session(tiny_config(corpus, run_name="unseen")))
    assert {row.text for row in second.rows} <= set(small_tweets())
    assert (second.num_tweets, len(second.rows)) == (8, 8)
    assert second.num_columns == max(len(row.text) for row in second.rows) + 1
    assert second.num_targets == sum(len(row.text) + 1 for row in second.rows)
    for row in second.rows:
        assert row.token_ids[0] == BOS
        assert min(row.token_ids[1:]) > 3
        assert len(row.token_ids) == len(row.text) + 1
        assert max(row.token_ids) < second.vocab_size


def test_a_batch_prepared_for_a_device_is_shown_as_it_was(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script: Script = {0: [c.ShowBatch()], 3: [c.ShowBatch()], 6: [c.ShowBatch()]}
    on_cpu = of_type(run_session(tiny_config(corpus), script), e.BatchShown)
    use_device_step(monkeypatch, None)
    on_device = of_type(run_session(tiny_config(corpus, run_name="device"), script), e.BatchShown)
    assert [(shown.batch_step, shown.rows, shown.num_columns, shown.num_targets) for shown in on_device] == [
        (shown.batch_step, shown.rows, shown.num_columns, shown.num_targets) for shown in on_cpu
    ]


def test_many_long_tweets_are_cut_and_an_unknown_character_is_marked(home: Path) -> None:
    tweets = [
        chr(0x4E00 + row) + " ".join(str(row * column % 9973) for column in range(1, 120)) for row in range(1, 201)
    ]
    corpus = CorpusConfig(files=(str(write_corpus(home, tweets)),), max_length=700, min_char_count=2)
    config = replace(tiny_config(None, max_steps=1, batch_size=100, max_length=700), corpus=corpus, preset="auto")
    shown = only(run_session(config, {0: [c.ShowBatch()]}), e.BatchShown)

    assert (len(shown.rows), shown.num_tweets) == (MAX_ROWS, 100)
    assert {len(row.text) for row in shown.rows} == {MAX_CHARS}
    assert {len(row.token_ids) for row in shown.rows} == {MAX_CHARS + 1}
    assert {(row.text[0], row.token_ids[1]) for row in shown.rows} == {(LOST, UNK)}


def test_sorting_by_length_saves_padding_which_is_computed_once_per_batch_size(corpus: Path) -> None:
    script: Script = {step: [c.ShowBatch()] for step in range(5)} | {
        5: [c.SetBatchSize(batch_size=1), c.ShowBatch(), c.ShowBatch()]
    }
    with mock.patch("engine.session.batch_service.padding_shares", side_effect=padding_shares) as computed:
        shown = of_type(run_session(tiny_config(corpus), script), e.BatchShown)
    assert 0 < shown[0].sorted_padding < shown[0].shuffled_padding < 1
    assert (shown[-1].sorted_padding, shown[-1].shuffled_padding) == (0, 0)
    assert computed.call_count == 2


def test_a_shuffled_batch_has_random_tweets_of_any_length_and_changes_no_step(corpus: Path) -> None:
    asked = [c.ShowBatch(), c.ShowBatch(shuffled=True), c.ShowBatch(shuffled=True)]
    emitted = run_session(tiny_config(corpus), {0: asked[1:], 3: asked})
    first, same, trained, second, _ = of_type(emitted, e.BatchShown)
    assert [first.shuffled, trained.shuffled, second.shuffled] == [True, False, True]
    assert first.rows == same.rows != second.rows
    for shown in (first, second):
        assert len({row.text for row in shown.rows} & set(small_tweets())) == shown.num_tweets == trained.num_tweets
        assert shown.num_columns == max(len(row.text) for row in shown.rows) + 1
    assert len({len(row.text) for row in second.rows}) > len({len(row.text) for row in trained.rows})
    assert losses(emitted) == losses(run_session(tiny_config(corpus, run_name="unseen")))


def test_after_a_load_the_next_batch_is_that_of_the_checkpoint(corpus: Path) -> None:
    first = run_session(tiny_config(corpus), {2: [c.SaveCheckpoint(name="one")], 3: [c.ShowBatch()]})
    config = tiny_config(corpus, run_name="two")
    second = run_session(config, {5: [c.LoadCheckpoint(name="one"), c.ShowBatch()]})
    shown, again = only(first, e.BatchShown), only(second, e.BatchShown)
    assert (shown.batch_step, again.batch_step, again.step) == (3, 3, 2)
    assert again.rows == shown.rows
