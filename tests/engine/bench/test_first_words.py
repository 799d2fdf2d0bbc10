"""How soon tweets are readable: the summary of the rounds, by hand, and with the checkpoints of a tiny run."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.bench import first_words
from engine.bench.first_words import WatchedRun, known_share, median_time, time_to
from engine.config.run import RuntimeConfig
from engine.storage.folders import find_run
from tests.engine.helpers import home_at, run_session, stop_at, tiny_config, write_corpus


def test_a_share_is_reached_between_the_moments_before_and_after() -> None:
    curve = [(5.0, 0.2), (10.0, 0.4), (20.0, 0.6), (30.0, 0.9)]
    assert time_to(0.5, curve) == pytest.approx(15.0)
    assert time_to(0.1, curve) == pytest.approx(2.5)
    assert time_to(0.95, curve) is None


def test_a_share_that_is_lost_again_is_reached_later() -> None:
    curve = [(5.0, 0.6), (10.0, 0.2), (20.0, 0.6)]
    assert time_to(0.5, curve) == pytest.approx(17.5)
    assert time_to(0.5, curve[:2]) is None


def test_a_round_that_does_not_reach_a_share_is_later_than_all_others() -> None:
    assert median_time([3.0, None, 1.0]) == 3.0
    assert median_time([1.0, 2.0]) == 1.5
    assert median_time([None, 1.0, None]) is None
    assert median_time([1.0, None]) is None


def test_the_share_is_that_of_all_words_of_all_tweets() -> None:
    assert known_share(["good morning", "good mrning"], {"mrning"}) == 0.75
    assert known_share([], set()) == 0.0


def test_the_report_has_the_medians_and_the_spread_of_the_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(first_words, "NUM_TWEETS", 5)
    with home_at(tmp_path / "home"):
        run_session(tiny_config(write_corpus(tmp_path)), stop_at(3))
        latest = find_run("tiny").checkpoint_path("latest")
        rounds = [
            WatchedRun(first_step_seconds=seconds, checkpoints={5.0: early, 10.0: latest})
            for seconds, early in ((2.0, None), (4.0, latest), (3.0, None))
        ]
        report = first_words.first_words(rounds, RuntimeConfig(device="cpu", threads=1))
    before, after = report.moments
    assert (report.num_rounds, report.num_tweets, report.first_step_seconds) == (3, 5, 3.0)
    assert (before.seconds, before.step, before.known_word_share, before.least) == (5.0, 0, 0.0, 0.0)
    assert (after.seconds, after.step) == (10.0, 3)
    assert 0.0 <= after.least <= after.known_word_share <= after.most <= 1.0
    assert (report.hidden_size, report.num_layers, report.num_threads) == (8, 1, 1)
