"""A run that two ranks train is the run that one would train, whatever the user does."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compute.clocks import PhaseTimer
from engine.compute.cpu.step import GruStep
from engine.config.corpus import CorpusConfig
from engine.config.run import ModelConfig, TrainingConfig
from engine.corpus.arrays import Batch
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.protocol import insight
from engine.protocol.progress import BatchCursor
from engine.session.ranks import leader, worker
from engine.session.ranks.connection import Begin, Build, End, Order, Ranks, Report, Steps, Sync
from engine.session.ranks.place import Place
from engine.session.ranks.worker import Worker
from engine.storage.folders import find_run
from engine.training import schedule
from tests.engine import helpers as h
from tests.engine.session.ranks.shared_runs import run_shared
from tests.engine.session.test_end import PATIENT, RISE, figures
from tests.fakes import budget, change
from tests.strategies import commands

ROUNDING = 1e-5
REGULAR: dict[str, Any] = {
    "eval_every": 10,
    "sample_every": 15,
    "save_every": 13,
    "max_grad_norm": 0.5,
    "weight_decay": 0.1,
    "average_lag": 0.1,
}
"""Settings with a promise that ends at step 13, where some runs are stopped, however many steps fit its time."""


@pytest.mark.parametrize("seconds", [None, 5.0])
def test_settings_record_how_many_processes_trained_and_more_save_more_often(
    corpus: Path, seconds: float | None
) -> None:
    """Unless the user has said how often."""

    def recorded() -> tuple[int, str]:
        settings = json.loads(find_run("tiny").config_path.read_bytes())
        return settings["world_size"], settings["backend"]

    chosen: dict[str, Any] = {"autosave_seconds": seconds} if seconds else {}
    h.run_tiny(corpus, max_steps=2, **chosen)
    run_shared(h.resume_config("tiny", max_steps=4))
    assert recorded() == (2, "gloo")
    assert h.latest().training.autosave_seconds == (seconds or 20.0)
    h.run_session(h.resume_config("tiny", max_steps=6))
    assert recorded() == (1, "")


@pytest.mark.parametrize("world_size", [2, 3])
def test_ranks_give_the_losses_evaluations_and_tweets_of_one_process(corpus: Path, world_size: int) -> None:
    alone = h.run_tiny(corpus, run_name="alone", max_steps=31, **REGULAR)
    shared = run_shared(h.tiny_config(corpus, max_steps=31, **REGULAR), world_size=world_size)
    started = h.only(shared, e.RunStarted)
    assert (started.world_size, started.backend) == (world_size, "gloo")
    assert h.losses(shared) == pytest.approx(h.losses(alone), abs=ROUNDING)
    bits = [[each.bits_per_char for each in h.of_type(stream, e.EvalFinished)] for stream in (alone, shared)]
    assert len(bits[1]) == 4
    assert bits[1] == pytest.approx(bits[0], abs=ROUNDING)
    assert [each.step for each in h.of_type(shared, e.TweetSampled)] == [0, 15, 30]
    assert h.only(shared, e.RunFinished).total_chars == h.only(alone, e.RunFinished).total_chars


def test_the_same_command_and_a_resume_are_exact_bit_for_bit_at_the_same_number_of_ranks(corpus: Path) -> None:
    config = h.tiny_config(corpus, max_steps=20, **REGULAR)
    whole = run_shared(replace(config, run_name="whole"))
    again = run_shared(config, script=h.stop_at(13))
    resumed = run_shared(h.resume_config("tiny"))
    assert h.latest().computation.world_size == 2
    assert h.losses([*again, *resumed]) == h.losses(whole)
    assert h.of_type(resumed, e.Warned) == []


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (3, 2)])
def test_a_resume_on_more_or_fewer_ranks_is_exact_to_rounding_and_warns(corpus: Path, before: int, after: int) -> None:
    whole = h.plain_losses(max_steps=20, **REGULAR)
    run_shared(h.tiny_config(corpus, max_steps=20, **REGULAR), world_size=before, script=h.stop_at(13))
    resumed = run_shared(h.resume_config("tiny"), world_size=after)
    assert h.losses(resumed) == pytest.approx({step: whole[step] for step in range(14, 21)}, abs=ROUNDING)
    now = "1 process" if after == 1 else f"{after} processes"
    assert f"{now} in place of {before}" in h.only(resumed, e.Warned).message


def test_a_step_that_is_not_finite_on_one_rank_is_skipped_on_all(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound, calls = GruStep.loss_and_grads, count(1)

    def loss_and_grads(self: GruStep, batch: Batch, timer: PhaseTimer) -> object:
        return sound(self, batch, timer) * (float("nan") if next(calls) == 5 else 1.0)

    monkeypatch.setattr(GruStep, "loss_and_grads", loss_and_grads)
    shared = run_shared(h.tiny_config(corpus, max_steps=12))
    assert len(h.losses(shared)) == 11
    assert h.only(shared, e.Warned).kind == "not-finite"
    assert h.only(shared, e.RunFinished).step == 12  # the ranks agree to the end: their weights were compared


def test_out_of_memory_on_one_rank_is_its_own_matter_and_warned(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = h.plain_losses(batch_size=16)
    error = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes")
    h.let_fail(monkeypatch, "engine.compute.cpu.step.GruStep.loss_and_grads", error, 6)
    shared = run_shared(h.tiny_config(corpus, batch_size=16))
    assert h.losses(shared) == pytest.approx(alone, abs=ROUNDING)
    assert "a batch is computed in 2 parts of up to 4 tweets" in h.only(shared, e.Warned).message


def test_steps_that_a_rank_can_not_record_are_a_warning(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "The steps can't be recorded as CUDA graphs, so that they take longer: not permitted"
    monkeypatch.setattr(worker, "new_failures", mock.Mock(side_effect=[[message], *[[]] * 99]))
    shared = run_shared(h.tiny_config(corpus))
    assert h.only(shared, e.Warned).message.endswith(f": {message}")


def test_a_run_at_a_speed_limit_and_one_on_a_single_tweet_are_shared_too(corpus: Path) -> None:
    shared = run_shared(h.tiny_config(corpus, steps_per_second=1000.0), clock=h.TickingClock(0.01))
    assert h.only(shared, e.RunFinished).step == 12
    shared = run_shared(h.tiny_config(corpus, run_name="overfit", overfit=1, sample_every=4, eval_every=4))
    assert {1, 2, 4, 8} <= {each.step for each in h.of_type(shared, e.TweetSampled)}


def test_after_any_command_the_ranks_stay_together(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of promises of four steps; their weights are compared at each save."""
    monkeypatch.setattr(leader, "PROMISE_SECONDS", 1e9)
    monkeypatch.setattr(leader, "MAX_STEPS", 4)
    answers: dict[str, c.Command] = {
        "Paused": c.Pause(),
        "SettingsChanged": change(learning_rate=0.001),
        "CheckpointSaved": c.SaveCheckpoint(name="mine"),
        "TweetSampled": c.SampleNow(),
        "BatchShown": insight.ShowBatch(),
        "SettingsChanged of the batch size": change(batch_size=5),
        "CheckpointLoaded": c.LoadCheckpoint(name="mine"),
        "SettingsChanged of the intervals": change(eval_every=7, sample_every=9),
        "FinishPlanned": c.Finish(),
        "SettingsChanged of the budget": budget(epochs=8.0),
    }
    unsent = iter(answers.values())
    send_next = h.whenever(e.StepsFinished, lambda report: islice(unsent, 1) if len(report.train_losses) > 2 else [])
    config = h.tiny_config(corpus, max_steps=100)
    shared = run_shared(config, on_event=send_next, once={e.Paused: [c.Resume()]})
    found = iter(h.names(shared))
    assert [answer for answer in answers if answer.split()[0] not in found] == []  # in this order
    assert (list(unsent), h.of_type(shared, e.CommandRefused)) == ([], [])
    assert h.only(shared, e.RunFinished).reason == "epochs"
    assert h.only(shared, e.RunFinished).step > (h.only(shared, e.FinishPlanned).last_step or 0)


def test_the_ranks_go_back_to_the_best_together_and_continue_from_there(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures(monkeypatch, RISE)
    config = h.tiny_config(corpus, **PATIENT)
    shared = run_shared(config, script=h.stop_at(12), once={e.Paused: [c.Resume()]}, pauses_at_end=True)
    assert (h.only(shared, e.CheckpointLoaded).step, h.only(shared, e.RunFinished).step) == (2, 12)


def test_the_baselines_of_a_shared_run_are_those_of_one_process(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.insight.baselines.load_baselines", lambda *_: None)
    script: h.Script = {0: [c.Pause(), insight.MeasureBaselines()]}
    resume = h.whenever(insight.BaselinesMeasured, lambda measured: [c.Resume()] if measured.is_complete else [])
    alone = h.run_tiny(corpus, script, resume, run_name="alone", max_steps=4)
    shared = run_shared(h.tiny_config(corpus, max_steps=4), script=script, on_event=resume)
    measured = [
        [each.bits_per_char for each in h.of_type(stream, insight.BaselinesMeasured)] for stream in (alone, shared)
    ]
    assert measured[0] == measured[1]
    assert len(measured[0]) == 2


def test_promises_end_at_tweets_and_early_evaluations_due_by_steps(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_FIRST_EARLY_EVALUATION", 4)
    due: dict[str, Any] = {"sample_every": 12, "sample_pacing": "doubling", "eval_every": 20, "early_eval_tweets": 3}
    shared = run_shared(h.tiny_config(corpus, max_steps=26, **due))
    assert [event.step for event in h.of_type(shared, e.TweetSampled)] == [0, 1, 2, 4, 8, 12, 24]
    assert [event.step for event in h.of_type(shared, e.EvalFinished)] == [4, 8, 16, 20, 26]
    assert h.losses(shared) == pytest.approx(h.plain_losses(max_steps=26), abs=ROUNDING)


def test_single_steps_of_a_shared_run_report_the_whole_batch(corpus: Path) -> None:
    script: h.Script = {0: [c.Pause(), c.TakeStep(), insight.ShowBatch(), c.Resume()]}
    alone = h.run_tiny(corpus, run_name="alone", max_steps=2, script=script)
    shared = run_shared(h.tiny_config(corpus, max_steps=2), script=script)
    assert h.only(shared, insight.StepTaken).num_targets == h.only(alone, insight.StepTaken).num_targets
    assert h.only(shared, insight.StepTaken).loss_after == pytest.approx(
        h.only(alone, insight.StepTaken).loss_after, abs=ROUNDING
    )
    assert h.only(shared, insight.BatchShown).rows == h.only(alone, insight.BatchShown).rows


@settings(max_examples=6)
@given(answers=st.lists(st.none() | commands(("", "the ")), max_size=30), eval_every=st.integers(0, 4))
def test_after_any_commands_a_shared_stream_keeps_its_rules(answers: list[c.Command | None], eval_every: int) -> None:
    """They are checked of each run that has started."""
    inbox = h.AnsweringInbox([*answers, c.Resume()])
    with h.own_home() as folder:
        config = h.tiny_config(h.write_corpus(folder), eval_every=eval_every, sample_every=5)
        assert isinstance(run_shared(config, inbox=inbox, clock=h.TickingClock(0.001))[-1], e.RunFinished)


def test_the_ranks_report_their_shares_of_waiting_and_the_leaders_is_of_its_steps_alone(corpus: Path) -> None:
    shared = run_shared(h.tiny_config(corpus, sample_every=1), clock=h.TickingClock(0.5), times_seconds=2.0)
    pairs = [(times, ranks) for times, ranks in pairwise(shared) if isinstance(times, e.StepTimes)]
    assert pairs
    for times, ranks in pairs:
        assert isinstance(ranks, e.RanksMeasured)
        assert len(ranks.waiting_shares) == len(ranks.devices) == len(ranks.hosts) == 2
        assert all(0 <= share <= 1 for share in ranks.waiting_shares)
        steps = times.data_seconds + times.forward_seconds + times.backward_seconds + times.optimizer_seconds
        expected = times.waiting_seconds / (steps + times.waiting_seconds)
        assert ranks.waiting_shares[0] == pytest.approx(expected, abs=1e-4)


# A worker alone -------------------------------------------------------------------------------------------------------
def sync(step: int, generator: bytes = b"") -> list[Order]:
    training = TrainingConfig(batch_size=8)
    position = BatchCursor(batch=step)
    model = ModelConfig(embedding_size=8, hidden_size=8, dropout=0.5)
    return [
        Build(model=model, training=training, precision="float32"),
        Sync(training=training, position=position, step=step, has_weights=True, generators=(b"", generator)),
    ]


def test_a_worker_continues_from_the_state_of_its_generator_or_is_seeded_by_its_step(corpus: Path) -> None:
    report, steps = Report(checksum=True), Steps(rates=(0.01, 0.01))

    def generators_of(*orders: Order) -> list[bytes]:
        place, device = Place(rank=1, world_size=2), torch.device("cpu")
        ranks = mock.Mock(spec=Ranks, place=place, device=device, waiting_seconds=0.0)  # a sum is its own part
        ranks.promised.return_value = contextlib.nullcontext()
        ranks.receive_order.side_effect = [Begin(corpus=CorpusConfig(files=(str(corpus),)), known=None), *orders, End()]
        Worker(ranks, num_threads=1).run()
        answers = [call.args[0] for call in ranks.send_answer.call_args_list]
        assert [each.problem for each in answers if each.problem] == []
        return [each.generator for each in answers if each.generator]

    before, after = generators_of(*sync(0), steps, report, steps, report)
    assert before != after
    assert generators_of(*sync(2, before), steps, report) == [after]
    [first], [again], [later] = (generators_of(*sync(step), report) for step in (0, 0, 2))
    assert first == again != later
