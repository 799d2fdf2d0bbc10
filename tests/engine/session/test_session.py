"""A run from its first event to its last; failures of its setup; what it starts from and what is loaded meanwhile."""

from __future__ import annotations

import json
import math
import queue
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import numba
import numpy as np
import pytest
import torch

from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.corpus.corpus import load_corpus
from engine.errors import CheckpointError, StorageError, exit_code_for
from engine.protocol import codec
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol.progress import Stage
from engine.session import restoring
from engine.session.session import COMPILING, TrainingSession
from engine.session.startup import preflight
from engine.session.startup.start import find_start, load_base
from engine.storage import journal
from engine.storage.folders import find_run, list_runs, named_checkpoint_path
from engine.storage.journal import Journal
from tests.engine import helpers as h
from tests.engine.session.ranks.shared_runs import run_shared
from tests.fakes import change


def test_a_run_describes_itself_is_listed_and_has_the_documented_files(corpus: Path, home: Path) -> None:
    listed: list[str] = []
    look = {e.RunStarted: [lambda: listed.extend(run.name for run in list_runs())]}
    emitted = h.run_tiny(corpus, max_steps=20, eval_every=5, once=look)
    started = h.only(emitted, e.RunStarted)
    assert listed == ["tiny"]
    assert (started.step, started.run, started.corpus) == (0, "tiny", "small.txt")
    assert started.num_train_tweets + started.num_val_tweets == len(h.small_tweets())
    assert started.vocab_size == 4 + len(h.latest().vocab)
    assert (started.device, started.precision, started.num_threads) == ("cpu", "float32", 1)
    assert (started.model.hidden_size, started.training.batch_size, started.sampling.max_length) == (8, 8, 20)
    files = sorted(str(path.relative_to(home / "runs/tiny")) for path in home.glob("runs/**/*") if path.is_file())
    checkpoints = ["checkpoints/best.safetensors", "checkpoints/latest.safetensors"]
    assert files == [*checkpoints, "config.json", "events.jsonl", "tweetgen.log"]
    config = json.loads((home / "runs" / "tiny" / "config.json").read_text())
    assert (config["model"]["hidden_size"], config["training"]["max_steps"]) == (8, 20)
    evaluation = h.of_type(emitted, e.EvalFinished)[-1]
    assert (h.info_of("tiny", "best").step, h.info_of("tiny", "best").progress.bits_per_char) == (
        20,
        evaluation.bits_per_char,
    )
    assert evaluation.bits_per_char == pytest.approx(evaluation.val_loss / math.log(2))
    reports = h.of_type(emitted, e.StepsFinished)
    numbers = [number for report in reports for number in (*report.train_losses, *report.grad_norms)]
    assert all(repr(number) == str(np.float32(number)) for number in numbers), "the fewest digits of a float32"
    journal = find_run("tiny").journal_path.read_text(encoding="utf-8")
    assert all(codec.encode(report) in journal for report in reports)


def test_the_journal_has_all_events_its_buckets_end_at_checkpoints(corpus: Path) -> None:
    config = h.tiny_config(corpus, max_steps=60, sample_every=8, save_every=21)
    with mock.patch.object(journal, "WHOLE_STEPS", 4):
        emitted = h.run_session(config, {27: [c.SaveCheckpoint(name="mine")]})
    journalled, steps = h.journalled(), e.StepsFinished | e.StepsThinned
    others = [each for each in emitted if not isinstance(each, steps)]
    assert [each for each in journalled if not isinstance(each, steps)] == others
    assert h.losses(journalled).items() <= h.losses(emitted).items()
    buckets = h.of_type(journalled, e.StepsThinned)
    assert len(h.losses(journalled)) + sum(each.num_steps for each in buckets) == 60
    saved = {event.weights_step for event in h.of_type(emitted, e.CheckpointSaved)}
    assert saved == {0, 21, 27, 42, 60}
    assert not [step for step in saved for each in buckets if each.first_step <= step < each.step]


def test_a_run_ends_after_its_epochs_and_has_counted_every_training_character_once_per_epoch(corpus: Path) -> None:
    finished = h.only(h.run_tiny(corpus, epochs=2, batch_size=10, max_steps=500), e.RunFinished)
    num_chars = load_corpus(CorpusConfig(files=(str(corpus),))).num_train_chars
    assert (finished.reason, finished.step, finished.total_chars) == ("epochs", 2 * 5, 2 * num_chars)


# Its setup ------------------------------------------------------------------------------------------------------------
def raise_mistake(*_: object, **__: object) -> None:
    raise ZeroDivisionError("what was never thought of")


def test_a_run_stopped_in_its_setup_ends_there_and_leaves_its_name_free(corpus: Path) -> None:
    """In its first stage, and right before its folder is created."""
    inbox: queue.SimpleQueue[c.Command] = queue.SimpleQueue()
    stages: list[str] = []
    emitted: list[e.Event] = []

    def on_stage(stage: Stage) -> None:
        stages.append(stage.text)
        inbox.put(c.Stop(reason="at once"))

    TrainingSession(h.tiny_config(corpus), on_stage).run(emitted.append, inbox)
    assert len(stages) == 1
    with mock.patch("engine.session.startup.setup.ThreadTuner.for_run") as last_before:
        last_before.side_effect = lambda *_: inbox.put(c.Stop(reason="in time"))
        emitted += h.run_tiny(corpus, inbox=inbox)
    assert [event.reason for event in h.of_type(emitted, e.RunFinished)] == ["at once", "in time"]
    assert len(emitted) == 2
    assert not (corpus.parent / "runs").exists()
    assert h.run_tiny(corpus)[-1].step == 12


def test_an_internal_error_in_the_setup_leaves_the_name_free_and_its_traceback_in_the_common_log(
    corpus: Path, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """At its first step and its last."""
    for target in ("session.session.prepare", "corpus.training_data.TrainingData.some_validation_tweets"):
        with mock.patch(f"engine.{target}", raise_mistake):
            [failed] = h.run_tiny(corpus)
        assert isinstance(failed, e.RunFailed)
        assert exit_code_for(failed.title) == 3
        assert "what was never thought of" in failed.detail
        log = home / "tweetgen.log"
        assert 'raise ZeroDivisionError("what was never thought of")' in log.read_text()
        log.unlink()
        assert not (home / "runs").exists()
    assert capfd.readouterr() == ("", "")


def test_a_start_that_waits_for_the_compiler_says_so(corpus: Path) -> None:
    """And so does a run in training, which compiles the kernels of a step when it needs them."""
    stages: list[Stage] = []

    def compile_at(moment: str) -> None:
        if moment in {"building the model", "RunStarted"}:
            numba.njit(lambda: None)()

    def on_stage(stage: Stage) -> None:
        stages.append(stage)
        if not stage.detail:
            compile_at(stage.text)

    def emit(event: e.Event) -> None:
        compile_at(type(event).__name__)

    TrainingSession(h.tiny_config(corpus), on_stage).run(emit, queue.SimpleQueue())
    compiling = [stage for stage in stages if stage.detail == COMPILING]
    assert {stage.text for stage in compiling} == {"building the model", "training"}
    assert all(stage.report for stage in compiling)


def test_a_run_that_is_being_resumed_can_not_be_resumed_by_another_program(corpus: Path) -> None:
    h.run_tiny(corpus, h.stop_at(3))
    others: list[e.Event] = []

    def on_stage(stage: Stage) -> None:
        if stage.text == "building the model" and not others:  # `latest` has been read
            others.extend(h.run_session(h.resume_config(max_steps=12)))

    emitted: list[e.Event] = []
    TrainingSession(h.resume_config(max_steps=6), on_stage).run(emitted.append, queue.SimpleQueue())
    assert "is active already" in h.only(others, e.RunFailed).detail
    assert emitted[-1].step == 6


def test_an_open_run_can_not_be_resumed_nor_one_with_a_damaged_checkpoint_and_no_file_is_changed(corpus: Path) -> None:
    h.run_tiny(corpus, h.stop_at(6))
    run = find_run("tiny")
    latest_path = run.checkpoint_path("latest")
    before = (run.journal_path.read_bytes(), run.config_path.read_bytes())
    holder = Journal(run.journal_path)
    with pytest.raises(StorageError, match="is active already"):
        preflight.check(h.resume_config())
    assert h.names(h.run_session(h.resume_config(max_steps=12))) == ["RunFailed"]
    not_yet_saved = latest_path.rename(latest_path.with_suffix(".later"))
    with pytest.raises(StorageError, match="is active already"):
        preflight.check(h.resume_config())
    not_yet_saved.rename(latest_path)
    holder.close()
    preflight.check(h.resume_config())
    latest_path.write_bytes(latest_path.read_bytes()[:1000])
    assert "latest.safetensors is damaged" in h.only(h.run_session(h.resume_config("tiny")), e.RunFailed).detail
    assert before == (run.journal_path.read_bytes(), run.config_path.read_bytes())
    assert latest_path.stat().st_size == 1000


def test_a_subscriber_that_always_raises_stops_nothing(corpus: Path) -> None:
    TrainingSession(h.tiny_config(corpus)).run(raise_mistake, queue.SimpleQueue())
    assert isinstance(h.journalled()[-1], e.RunFinished)
    assert list(h.losses(h.journalled())) == list(range(1, 13))
    assert "what was never thought of" in find_run("tiny").log_path.read_text()


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
    return h.write_corpus(home, [f"{a} {b} {c}" for a, b, c in product(who, did, what)], "english.txt")


def own(corpus: Path, **changes: Any) -> RunConfig:
    """Return the config of a short run of the preset `auto` on a corpus of the user's."""
    return replace(h.tiny_config(corpus), **{"preset": "auto", "settings": FEW, **changes})


def test_a_small_corpus_starts_from_shipped_weights_with_rows_for_its_characters_and_contexts(english: Path) -> None:
    emitted = h.run_session(own(english, settings=STILL))
    cold = h.run_session(own(english, settings=STILL, from_scratch=True, run_name="cold"), h.stop_at(0))
    assert not h.of_type(cold, e.Warned)
    started = h.only(emitted, e.RunStarted)
    assert started.is_warm_start
    assert "the shipped model" in started.training.preset_reason
    base, info, tensors = load_base(), h.info_of("tiny"), h.tensors_of("tiny")
    num_known = len(base.vocab)
    assert info.vocab[: len(base.info.vocab)] == base.info.vocab
    assert "零" in info.vocab
    for name in ("embed.weight", "proj.bias", "rnn.weight_hh_l0"):
        weights, known = tensors[f"model.{name}"], base.tensors[f"model.{name}"]
        rows = weights if name.startswith("rnn") else weights[:num_known]
        assert torch.allclose(rows, known, atol=1e-6, rtol=0), name
    assert info.model.ngram_contexts == h.info_of("cold").model.ngram_contexts > 0
    assert tensors["model.ngram_input.weight"].abs().max() <= 1e-6


def test_a_warm_start_beats_random_weights_repeats_with_a_seed_and_resumes_bit_for_bit(english: Path) -> None:
    whole = h.run_session(own(english, run_name="whole"))
    shared = run_shared(own(english, run_name="shared"))
    cold = h.run_session(own(english, from_scratch=True, run_name="cold"), h.stop_at(1))
    h.run_session(own(english), h.stop_at(2))
    rest = h.run_session(h.resume_config("tiny"))
    assert h.losses(rest) == {step: loss for step, loss in h.losses(whole).items() if step > 2}
    assert h.of_type(rest, e.Warned) == []
    h.assert_same_tensors(*(h.tensors_of(run) for run in ("tiny", "whole")))
    assert h.losses(whole)[1] < h.losses(cold)[1] - 0.5
    assert [h.only(each, e.RunStarted).is_warm_start for each in (cold, shared)] == [False, True]
    assert h.losses(shared) == pytest.approx(h.losses(whole), abs=1e-4)


def test_what_excludes_a_warm_start(english: Path) -> None:
    exclusions: list[dict[str, Any]] = [
        {"preset": "tutorial"},
        {"from_scratch": True},
        *({"settings": {name: 64}} for name in ("hidden_size", "embedding_size")),
        {"settings": {"num_layers": 2}},
        {"corpus": None},
        {"corpus": CorpusConfig()},
        {"corpus": CorpusConfig(files=("english.txt",), overfit=3)},
    ]
    foreign = h.write_corpus(english.parent, [f"{tweet} 零壹贰叁" for tweet in h.small_tweets()], "foreign.txt")
    emitted = h.run_session(own(foreign), h.stop_at(0))
    assert h.only(emitted, e.Warned).message == (
        "The run starts from random weights: the shipped model lacks 14.6 % of the characters of these tweets, more "
        "than 5.0 %."
    )
    assert not h.only(emitted, e.RunStarted).is_warm_start
    assert find_start(own(english), None).base is not None
    assert [each for each in exclusions if find_start(replace(own(english), **each), None).base is not None] == []


# From a checkpoint whose vocabulary lacks characters ------------------------------------------------------------------
def test_new_characters_follow_the_known_ones_and_the_run_repeats_and_resumes_exactly(corpus: Path, home: Path) -> None:
    h.run_tiny(corpus, h.stop_at(3), average_lag=0.2, dropout=0.2, ngram_order=4)
    vocab = h.latest().vocab
    loud = h.write_corpus(home, [f"{tweet.upper()} ЖÉ零" for tweet in h.small_tweets()], "loud.txt")
    whole = h.run_session(h.branch_config(loud, "whole", max_steps=9))
    h.run_session(h.branch_config(loud, "parts", max_steps=9), h.stop_at(6))
    rest = h.run_session(h.resume_config("parts"))
    found = h.info_of("whole").vocab
    assert found[: len(vocab)] == vocab
    assert set(found[len(vocab) :]) == set(loud.read_text(encoding="utf-8")) - {"\n"} - set(vocab)
    assert h.only(whole, e.RunStarted).vocab_size == 4 + len(found)
    assert h.losses(rest) == {step: loss for step, loss in h.losses(whole).items() if step > 6}
    assert h.of_type(rest, e.Warned) == []
    h.assert_same_tensors(h.tensors_of("parts"), h.tensors_of("whole"))


# While a run trains ---------------------------------------------------------------------------------------------------
def test_loading_a_checkpoint_resets_the_run_and_its_losses_follow(corpus: Path) -> None:
    script: h.Script = {4: [c.SaveCheckpoint(name="four")], 9: [c.LoadCheckpoint(name="four")]}
    files = CorpusConfig(files=(str(corpus),), weight=(2.5,))
    emitted = h.run_session(replace(h.tiny_config(corpus, dropout=0.3), corpus=files), script)
    loaded = h.only(emitted, e.CheckpointLoaded)
    assert (loaded.name, loaded.path, loaded.step) == ("four", str(named_checkpoint_path("four")), 4)
    place = emitted.index(loaded)
    before, after = h.losses(emitted[:place]), h.losses(emitted[place:])
    assert list(after) == list(range(5, 13))
    assert {step: loss for step, loss in after.items() if step <= 9} == {step: before[step] for step in range(5, 10)}


def test_pending_steps_are_reported_before_another_batch_size_and_before_a_load(corpus: Path) -> None:
    saves, resizes, loads = c.SaveCheckpoint(name="five"), change(batch_size=4), c.LoadCheckpoint(name="five")
    inbox = h.AnsweringInbox([*[None] * 5, saves, *[None] * 4, resizes, *[None] * 2, loads])
    emitted = h.run_tiny(corpus, inbox=inbox, report_seconds=1e9)
    steps = [(event.first_step, event.step) for event in h.of_type(emitted, e.StepsFinished)]
    assert steps == [(1, 5), (6, 8), (9, 9), (6, 12)]
    assert h.only(emitted, e.SettingsChanged).step == 8


@pytest.mark.parametrize(("own", "others"), [(4, 2), (4, 0), (0, 4)], ids=["another table", "no table", "a table"])
def test_after_the_load_of_another_table_a_run_continues_as_the_one_that_saved_it(
    corpus: Path, own: int, others: int
) -> None:
    save: h.Script = {4: [c.SaveCheckpoint(name="four")]}
    expected = h.run_tiny(corpus, save, run_name="other", ngram_order=others, average_lag=0.1)
    load: h.Script = {6: [c.LoadCheckpoint(name="four"), c.Stop()]}
    emitted = h.run_tiny(corpus, load, ngram_order=own, average_lag=0.1) + h.run_session(h.resume_config())
    assert h.only(emitted, e.ModelChanged).model == h.only(expected, e.RunStarted).model
    after, of_other = h.losses(emitted[h.names(emitted).index("CheckpointLoaded") :]), h.losses(expected)
    assert after == {step: of_other[step] for step in range(5, 13)}
    assert h.info_of("tiny").model == h.info_of("other").model
    h.assert_same_tensors(h.tensors_of("tiny"), h.tensors_of("other"))


def test_latest_has_the_loss_of_its_own_weights_after_a_load_and_a_resume(corpus: Path) -> None:
    saved_losses: list[float | None] = []

    def add_loss(saved: e.CheckpointSaved) -> None:
        saved_losses.extend([h.latest().progress.train_loss] if saved.name == "latest" else [])

    look = h.whenever(e.CheckpointSaved, add_loss)
    script: h.Script = {4: [c.SaveCheckpoint(name="four")], 9: [c.LoadCheckpoint(name="four"), c.Stop()]}
    emitted = h.run_tiny(corpus, script, look)
    assert saved_losses == [None, h.losses(emitted)[4], h.losses(emitted)[4]]
    h.run_session(h.resume_config("tiny"), h.stop_at(4), look)
    assert saved_losses[3:] == [h.losses(emitted)[4]] * 2


def test_a_load_that_fails_leaves_the_precision_of_the_run(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "supported_precision", lambda *_: "bfloat16")
    monkeypatch.setattr(restoring, "load_into", mock.Mock(side_effect=CheckpointError("The checkpoint's tensors ...")))
    emitted = h.run_tiny(corpus, {4: [c.LoadCheckpoint(name="tiny/latest")]})
    assert h.only(emitted, e.CommandRefused).detail.startswith("The checkpoint's tensors")
    assert h.of_type(emitted, e.Warned) == []
    assert h.latest().computation.precision == "float32"
