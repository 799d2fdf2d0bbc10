"""Loading a checkpoint during a run: the state after it, and refusals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.config.corpus import CorpusConfig
from engine.errors import CheckpointError
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.session.checkpoints import loader
from engine.storage.folders import find_run, named_checkpoint_path
from tests.engine.checkpoints.saved import write_checkpoint
from tests.engine.helpers import (
    AnsweringInbox,
    Script,
    assert_same_tensors,
    latest,
    losses,
    names,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    tiny_config,
    write_corpus,
)
from tests.engine.session.stream_rules import assert_valid_stream


@pytest.mark.parametrize("weight", [(), (2.5,)], ids=["once", "weighted"])
def test_loading_a_checkpoint_resets_the_run_and_the_same_losses_follow(
    corpus: Path, weight: tuple[float, ...]
) -> None:
    script: Script = {4: [c.SaveCheckpoint(name="four")], 9: [c.LoadCheckpoint(name="four")]}
    config = tiny_config(corpus, dropout=0.3)

    emitted = run_session(replace(config, corpus=CorpusConfig(files=(str(corpus),), weight=weight)), script)

    loaded = only(emitted, e.CheckpointLoaded)
    assert (loaded.name, loaded.path, loaded.step) == ("four", str(named_checkpoint_path("four")), 4)
    place = emitted.index(loaded)
    before, after = losses(emitted[:place]), losses(emitted[place:])
    assert list(after) == list(range(5, 13))
    assert {step: loss for step, loss in after.items() if step <= 9} == {step: before[step] for step in range(5, 10)}


def test_pending_steps_are_reported_before_a_load(corpus: Path) -> None:
    sent = [*[None] * 5, c.SaveCheckpoint(name="five"), *[None] * 4, c.LoadCheckpoint(name="five")]

    emitted = run_session(tiny_config(corpus), inbox=AnsweringInbox(sent), report_seconds=1e9)

    steps = [(event.first_step, event.step) for event in of_type(emitted, e.StepsFinished)]
    assert steps == [(1, 5), (6, 8), (6, 12)]
    assert_valid_stream(emitted)


@pytest.mark.parametrize("orders", [(4, 2), (4, 0), (0, 4)], ids=["another table", "no table", "a table"])
def test_after_the_load_of_a_checkpoint_with_another_table_the_run_continues_as_the_one_that_saved_it(
    corpus: Path, orders: tuple[int, int]
) -> None:
    own, others = orders
    save: Script = {4: [c.SaveCheckpoint(name="four")]}
    expected = run_session(tiny_config(corpus, run_name="other", ngram_order=others, average_lag=0.1), save)

    emitted = run_session(
        tiny_config(corpus, ngram_order=own, average_lag=0.1), {6: [c.LoadCheckpoint(name="four"), c.Stop()]}
    )
    emitted += run_session(resume_config("tiny"))

    assert only(emitted, e.ModelChanged).model == only(expected, e.RunStarted).model
    after, of_other = losses(emitted[names(emitted).index("CheckpointLoaded") :]), losses(expected)
    assert after == {step: of_other[step] for step in range(5, 13)}
    final, of_other_run = (load_checkpoint(find_run(run).checkpoint_path("latest")) for run in ("tiny", "other"))
    assert final.info.model == of_other_run.info.model
    assert_same_tensors(final.tensors, of_other_run.tensors)


def test_latest_has_the_loss_of_its_own_weights_after_a_load_and_a_resume(corpus: Path) -> None:
    saved_losses: list[float | None] = []

    def look(event: e.Event) -> Iterable[c.Command]:
        if isinstance(event, e.CheckpointSaved) and event.name == "latest":
            saved_losses.append(latest().train_loss)
        return ()

    script: Script = {4: [c.SaveCheckpoint(name="four")], 9: [c.LoadCheckpoint(name="four"), c.Stop()]}
    emitted = run_session(tiny_config(corpus), script, look)
    assert saved_losses == [None, losses(emitted)[4], losses(emitted)[4]]
    run_session(resume_config("tiny"), {4: [c.Stop()]}, look)
    assert saved_losses[3:] == [losses(emitted)[4]] * 2


def test_a_load_that_fails_leaves_the_precision_of_the_run(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise CheckpointError("The checkpoint's tensors do not fit the model that it describes.")

    monkeypatch.setattr(loader, "supported_precision", lambda *_: "bfloat16")
    monkeypatch.setattr(loader, "load_into", fail)
    emitted = run_session(tiny_config(corpus), {4: [c.LoadCheckpoint(name="tiny/latest")]})
    assert only(emitted, e.CommandRefused).detail.startswith("The checkpoint's tensors")
    assert of_type(emitted, e.Warned) == []
    assert latest().precision == "float32"


def test_damaged_checkpoints_and_those_of_another_vocabulary_are_refused_and_the_run_is_unaffected(
    corpus: Path, home: Path
) -> None:
    other = write_corpus(home, [tweet.upper() for tweet in small_tweets()], name="loud.txt")
    run_session(tiny_config(other, run_name="loud"), {3: [c.SaveCheckpoint(name="loud")]})
    path = write_checkpoint(named_checkpoint_path("broken"))
    path.write_bytes(path.read_bytes()[:-1])
    asked = [c.LoadCheckpoint(name="broken"), c.LoadCheckpoint(name="loud")]

    plain = run_session(tiny_config(corpus, run_name="plain", dropout=0.3))
    emitted = run_session(tiny_config(corpus, run_name="asking", dropout=0.3), {5: asked})

    broken, loud = of_type(emitted, e.CommandRefused)
    assert (broken.step, broken.command, broken.title) == (5, "LoadCheckpoint", "The checkpoint can't be used")
    assert "broken.safetensors is damaged" in broken.detail
    assert "another vocabulary" in loud.detail
    assert losses(emitted) == losses(plain)
