"""A checkpoint answers as the model that was saved in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.corpus.encoded_tweets import EncodedTweets
from engine.corpus.loading import load_corpus
from engine.errors import CheckpointError, ConfigError, CorpusError
from engine.insight.answers import Answers, snapshot
from engine.insight.checkpoint_answers import CheckpointAnswers
from engine.pieces import run_to_end
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import find_run
from tests.engine.helpers import run_session, tiny_config, write_corpus

QUESTIONS = (
    c.TraceText(text="the cat", request=5, own_from=3),
    c.MeasureReach(text="the cat", position=4),
    c.ScoreUnits(request=2),
    c.HoldUnit(text="the cat", layer=0, unit=1, value=0.2),
    c.MapEmbeddings(),
)


@pytest.fixture
def saved(home: Path) -> Path:
    """Train a tiny model for 12 steps with averaged weights, and return its `latest`."""
    run_session(tiny_config(write_corpus(home), average_lag=0.25))
    return find_run("tiny").checkpoint_path("latest")


def test_answers_are_those_of_the_saved_model_at_the_saved_step_without_a_random_number(saved: Path) -> None:
    checkpoint = load_checkpoint(saved)
    assert checkpoint.info.training.average_lag == 0.25
    validation = EncodedTweets.from_flat(load_corpus(checkpoint.info.corpus).validation, checkpoint.vocab)
    model = snapshot(checkpoint.to_model(torch.device("cpu")))
    answers = Answers(model, checkpoint.vocab, lambda: validation, checkpoint.info.sampling, 12)
    state = torch.get_rng_state()
    from_file = CheckpointAnswers(saved)
    for question in QUESTIONS:
        event_type, fields = run_to_end(answers.job(question))
        expected = event_type(step=12, elapsed_seconds=checkpoint.info.elapsed_seconds, **fields)
        assert from_file.answer(question) == expected
    assert torch.equal(torch.get_rng_state(), state)
    for invalid in (c.TraceText(text=""), c.HoldUnit(text="a", layer=9, unit=0)):
        with pytest.raises(ConfigError):
            from_file.answer(invalid)


def test_only_scoring_units_needs_the_tweets_and_those_of_a_checkpoint_from_elsewhere_are_not_read(
    saved: Path, home: Path
) -> None:
    foreign = home / "elsewhere.safetensors"
    foreign.write_bytes(saved.read_bytes())
    with pytest.raises(CheckpointError, match="comes from elsewhere"):
        CheckpointAnswers(foreign).answer(c.ScoreUnits())
    (home / "small.txt").unlink()
    with pytest.raises(CorpusError, match=r"small\.txt"):
        CheckpointAnswers(saved).answer(c.ScoreUnits())
    for answers in (CheckpointAnswers(saved), CheckpointAnswers(foreign)):
        for question in QUESTIONS:
            if not isinstance(question, c.ScoreUnits):
                assert isinstance(answers.answer(question), e.InsightEvent)


def test_a_missing_checkpoint_raises(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        CheckpointAnswers(tmp_path / "none.safetensors")
