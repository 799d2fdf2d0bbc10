"""Every stream obeys the rules of DESIGN, section 4, under any commands at any time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import RUN_CHECKPOINTS, find_run, named_checkpoint_path
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import (
    AnsweringInbox,
    TickingClock,
    home_at,
    late_writer,
    of_type,
    only,
    run_session,
    tiny_config,
    write_corpus,
)
from tests.engine.session.stream_rules import assert_valid_stream
from tests.strategies import any_commands, commands

NOT_JOURNALLED = e.TextCompleted | e.TweetRead | e.InsightEvent | e.BatchShown | e.BaselinesMeasured
PRIMES = ("", "the ", "☃")


@contextmanager
def home_of_its_own() -> Iterator[Path]:
    """Give each example its own data folder."""
    with tempfile.TemporaryDirectory() as folder, home_at(Path(folder)) as home:
        yield home


@settings(max_examples=15)
@given(
    answers=st.lists(st.none() | commands(PRIMES), max_size=40),
    sample_every=st.integers(0, 4),
    eval_every=st.integers(0, 4),
    report_seconds=st.sampled_from([0.0, 1e9]),
    overfit=st.sampled_from([None, 1]),
    num_looks=st.sampled_from([0, 1, 5, 40]),
)
def test_whatever_the_commands_the_stream_keeps_its_rules_and_the_journal_has_all_but_answers_to_a_look(
    answers: list[c.Command | None],
    sample_every: int,
    eval_every: int,
    report_seconds: float,
    overfit: int | None,
    num_looks: int,
) -> None:
    """However late a checkpoint is on the disk."""
    inbox = AnsweringInbox([*answers, c.Resume()])  # a paused run would never end

    with home_of_its_own() as folder:
        config = tiny_config(None, sample_every=sample_every, eval_every=eval_every)
        config = replace(config, corpus=CorpusConfig(files=(str(write_corpus(folder)),), overfit=overfit))
        emitted = run_session(
            config,
            inbox=inbox,
            report_seconds=report_seconds,
            times_seconds=0.0,
            clock=TickingClock(0.05),
            writer=late_writer(num_looks),
        )

        assert_valid_stream(emitted)
        assert isinstance(emitted[-1], e.RunFinished)
        kept = [event for event in emitted if not isinstance(event, NOT_JOURNALLED)]
        assert list(read_journal(find_run("tiny").journal_path)) == kept
        num_unread = len(list(inbox.unread))
        asked = [each for each in answers[: len(answers) + 1 - num_unread] if isinstance(each, c.SaveCheckpoint)]
        refused = [event for event in of_type(emitted, e.CommandRefused) if event.command == "SaveCheckpoint"]
        saved = [event for event in of_type(emitted, e.CheckpointSaved) if event.name not in RUN_CHECKPOINTS]
        named = [event for event in saved if not event.name.startswith("step-")]
        assert len(named) + len(refused) == len(asked)


@settings(max_examples=10)
@given(sent=st.lists(any_commands(), max_size=6))
def test_whatever_text_commands_contain_events_contain_harmless_text_only(sent: list[c.Command]) -> None:
    with home_of_its_own() as folder:
        emitted = run_session(tiny_config(write_corpus(folder)), {3: [*sent, c.Resume(), c.Stop()]})

    assert_valid_stream(emitted)
    assert isinstance(emitted[-1], e.RunFinished)


def save_hostile(home: Path, favourites: tuple[str, ...]) -> RunConfig:
    """Save a checkpoint whose model samples mostly `favourites`; return the config of a run from it."""
    run_session(tiny_config(write_corpus(home), run_name="source"), {2: [c.SaveCheckpoint(name="sound"), c.Stop()]})
    sound = load_checkpoint(named_checkpoint_path("sound"))
    num_others = len(sound.vocab.chars) - len(favourites)
    others = tuple(chr(0x4E00 + number) for number in range(num_others))
    tensors = {name: tensor.clone() for name, tensor in sound.tensors.items()}
    tensors["model.proj.bias"] += torch.tensor([0.0] * 4 + [9.0] * len(favourites) + [0.0] * num_others)
    info = replace(sound.info, vocab=(*favourites, *others))
    save_checkpoint(named_checkpoint_path("hostile"), info, tensors)
    tweets = [others[number % 20] * 3 + others[number // 5] for number in range(60)]
    config = tiny_config(write_corpus(home, tweets, "han.txt"), run_name="hostile", sample_every=1)
    return replace(config, checkpoint="hostile")


def test_tweets_of_a_checkpoint_that_samples_escape_sequences_are_made_harmless(home: Path) -> None:
    config = save_hostile(home, ("\x1b", "[", "\u202e", "\n", "\ud7ff", "\u2028"))
    sent: list[c.Command] = [c.SampleNow(), *(c.SampleLadder(seed=1, prime=prime) for prime in ("[[", "\x1b["))]

    emitted = run_session(config, {4: sent})

    assert_valid_stream(emitted)
    assert only(emitted, e.CommandRefused).command == "SampleLadder"
    assert only(emitted, e.LadderSampled).rungs[0].text.startswith("[[")
    assert len(of_type(emitted, e.TweetSampled)) > 3
