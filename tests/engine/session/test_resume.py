"""A run that is stopped anywhere and resumed equals an uninterrupted one bit for bit."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.checkpoints.metadata import read_info
from engine.compute import device
from engine.config.run import RunConfig, Setting
from engine.config.sampling import SamplingConfig
from engine.corpus.position import Position
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage.folders import find_run
from engine.storage.journal_reader import read_journal
from tests.engine.helpers import (
    Script,
    assert_same_tensors,
    home_at,
    latest,
    of_type,
    only,
    resume_config,
    run_session,
    small_tweets,
    stop_at,
    tiny_config,
    write_corpus,
)
from tests.engine.session.saved_runs import tensors_of
from tests.engine.session.stream_rules import assert_valid_stream

LAST_STEP = 26
EPOCH_STEPS = 5  # 48 tweets to train on, 10 in a batch
DEMANDING: dict[str, Setting] = {
    "num_layers": 2,
    "dropout": 0.3,
    "ngram_order": 4,
    "weight_decay": 0.1,
    "ngram_decay": 0.5,
    "max_grad_norm": 0.5,
    "average_lag": 0.2,
    "schedule": "cosine",
    "warmup_steps": 3,
    "batch_size": 10,
    "max_steps": LAST_STEP,
    "sample_every": 4,
    "eval_every": 6,
    "avoid": ("e", "the"),
    "best_of": 2,
    "min_p": 0.02,
    "temperature_last": True,
}
ROOT = Path(__file__).parents[3]


@dataclass
class Facts:
    """The outcome of a run, times excluded."""

    events: list[e.Event]
    """Steps, one per event, tweets and evaluations."""
    final: dict[str, Tensor]
    """Weights, optimizer and generator states at the end."""


def facts(emitted: Iterable[e.Event]) -> Facts:
    """Return the outcome of a run, possibly of several parts."""
    found = Facts([], tensors_of("tiny"))
    for event in emitted:
        match event:
            case e.StepsFinished():
                found.events.append(replace(event, elapsed_seconds=0.0, chars_per_second=0.0))
            case e.TweetSampled() | e.EvalFinished():
                found.events.append(replace(event, elapsed_seconds=0.0))
    found.events.sort(key=lambda event: (event.step, type(event).__name__))  # an evaluation at the end comes earlier
    return found


def assert_same(found: Facts, expected: Facts, after_step: int = -1) -> None:
    """Assert that all after a step, and the final tensors, are equal bit for bit."""
    assert found.events == [event for event in expected.events if event.step > after_step]
    assert_same_tensors(found.final, expected.final)


def demanding(folder: Path, **changes: Setting) -> RunConfig:
    config = tiny_config(write_corpus(folder))
    return replace(config, settings={**config.settings, **DEMANDING, **changes})


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Return the outcome of the run that never stopped."""
    torch.set_num_threads(1)
    with home_at(tmp_path_factory.mktemp("uninterrupted")) as folder:
        return facts(run_session(demanding(folder)))


def run_in_parts(folder: Path, stops: Iterable[int], script: Script | None = None, **changes: Setting) -> list[e.Event]:
    """Run to the end, stopped and resumed after each of these steps; return the events of all parts.

    `script` is what is asked for in between; at a step where it stops, before it does.
    """
    config, emitted, left = demanding(folder, **changes), list[e.Event](), dict(script or {})
    for stop in stops:
        torch.manual_seed(9999)  # the resumed process has another generator state
        own: dict[int, list[c.Command]] = {step: list(left.pop(step)) for step in sorted(left) if step <= stop}
        own[stop] = [*own.get(stop, []), c.Stop()]
        part = run_session(config, own)
        assert_valid_stream(part)
        assert part[-1].step == stop
        emitted += part
        config = resume_config("last")
    return emitted + run_session(config, left)


@pytest.mark.parametrize(
    "stop",
    [
        pytest.param(0, id="before the first step"),
        pytest.param(EPOCH_STEPS, id="at the end of an epoch"),
        pytest.param(12, id="where both are due"),
        pytest.param(LAST_STEP - 1, id="before the last step"),
    ],
)
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(home: Path, uninterrupted: Facts, stop: int) -> None:
    assert_same(facts(run_in_parts(home, [stop])), uninterrupted)


@pytest.mark.parametrize("stops", [[0, 1], [2, 3], [8, 12]])
def test_a_resumed_run_neither_repeats_nor_skips_a_tweet_of_the_doubling_steps(home: Path, stops: list[int]) -> None:
    pacing: dict[str, Setting] = {"sample_every": 12, "sample_pacing": "doubling"}
    (home / "whole").mkdir()
    with home_at(home / "whole"):
        whole = facts(run_session(demanding(home / "whole", **pacing)))
    assert [event.step for event in of_type(whole.events, e.TweetSampled)] == [0, 1, 2, 4, 8, 12, 24]

    assert_same(facts(run_in_parts(home, stops, None, **pacing)), whole)


def test_a_stop_between_a_sample_and_an_evaluation_of_one_step_repeats_neither(
    home: Path, uninterrupted: Facts
) -> None:
    def after_the_tweet(event: e.Event) -> Iterable[c.Command]:
        return [c.Stop()] if isinstance(event, e.TweetSampled) and event.step == 12 else []

    first = run_session(demanding(home), on_event=after_the_tweet)
    assert not [event for event in of_type(first, e.EvalFinished) if event.step == 12]

    assert_same(facts(first + run_session(resume_config())), uninterrupted)


STEERED: Script = {
    3: [c.SetBatchSize(batch_size=7)],
    7: [c.SetLearningRate(learning_rate=0.02), c.SetSampling(sampling=SamplingConfig(temperature=1.5, max_length=20))],
    8: [c.SetIntervals(eval_every=5, sample_every=2)],
    11: [c.SetBatchSize(batch_size=20), c.SetIntervals(eval_every=4, sample_every=3)],
    14: [c.SetBudget(max_steps=60, epochs=4.9)],
    17: [c.SetLearningRate(learning_rate=0.01), c.SetBatchSize(batch_size=10)],
}


def test_a_steered_run_that_is_stopped_and_resumed_equals_an_uninterrupted_one(home: Path) -> None:
    (home / "whole").mkdir()
    with home_at(home / "whole"):
        steered = facts(run_session(demanding(home / "whole"), STEERED))

    assert_same(facts(run_in_parts(home, [3, 8, 17], STEERED)), steered)


def test_the_best_evaluation_before_a_stop_is_still_the_best_after_a_resume(home: Path) -> None:
    run_session(demanding(home, schedule="constant"), {14: [c.SetLearningRate(learning_rate=9), c.Stop()]})

    emitted = run_session(resume_config())

    first = of_type(emitted, e.EvalFinished)[0]
    assert (first.step, first.is_best) == (18, False)
    assert read_info(find_run("tiny").checkpoint_path("best"))[0].step == 12


def test_a_run_resumed_with_more_steps_equals_one_that_had_them_from_the_start(home: Path) -> None:
    (home / "whole").mkdir()
    with home_at(home / "whole"):
        whole = facts(run_session(demanding(home / "whole", schedule="constant", max_steps=18)))

    first = run_session(demanding(home, schedule="constant", max_steps=12))

    assert_same(facts(first + run_session(resume_config(max_steps=18))), whole)


def test_a_run_in_bfloat16_resumes_bit_for_bit(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "cpu_has_bfloat16", lambda: True)  # whatever this CPU has

    def rough(config: RunConfig) -> RunConfig:
        return replace(config, runtime=replace(config.runtime, precision="bfloat16"))

    (home / "whole").mkdir()
    with home_at(home / "whole"):
        whole = facts(run_session(rough(demanding(home / "whole"))))

    first = run_session(rough(demanding(home)), stop_at(13))
    second = run_session(replace(resume_config(), runtime=replace(resume_config().runtime, precision="auto")))

    assert only(second, e.RunStarted).precision == "bfloat16"
    assert_same(facts(first + second), whole)


KILLED_RUN = f"""
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from engine.protocol import events
from tests.engine.helpers import run_session, tiny_config
from tests.fakes import FakeClock

clock = FakeClock()

def on_event(event):
    clock.advance(5.0 if isinstance(event, events.StepsFinished) else 0.0)
    if event.step == 17 and isinstance(event, events.StepsFinished):
        os.kill(os.getpid(), signal.SIGKILL)
    return ()

config = tiny_config(Path(sys.argv[1]), **{ {**DEMANDING, "autosave_seconds": 35.0}!r})
run_session(config, on_event=on_event, clock=clock)
"""


def test_a_killed_run_resumes_from_its_last_checkpoint_bit_for_bit(home: Path, uninterrupted: Facts) -> None:
    process = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(write_corpus(home))], cwd=ROOT, capture_output=True, check=False
    )
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    folder = find_run("last")
    with folder.journal_path.open("ab") as journal:
        journal.write(b'{"event":"StepsFinished","step":18,"ela')  # torn by the kill
    assert latest().step == 14

    emitted = run_session(resume_config("last"))

    assert only(emitted, e.RunStarted).step == 14
    assert_same(facts(emitted), uninterrupted, after_step=14)
    journalled = list(read_journal(folder.journal_path))
    assert journalled[-len(emitted) :] == emitted
    assert [event.step for event in of_type(journalled, e.StepsFinished)] == [*range(1, 18), *range(15, LAST_STEP + 1)]


def test_a_resume_on_changed_tweets_warns_and_starts_with_their_first_batch(home: Path) -> None:
    run_session(demanding(home), stop_at(7))
    write_corpus(home, [*small_tweets(), "one more about the tea"])

    emitted = run_session(resume_config(max_steps=8))

    assert "not those" in only(emitted, e.Warned).message
    assert emitted[-1].step == 8
    assert latest().position == Position(epoch=0, batch=1)


def test_a_run_that_begins_with_small_batches_resumes_exactly_among_them_and_after(tmp_path: Path) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    with home_at(tmp_path / "whole") as folder:
        expected = facts(run_session(demanding(folder, first_batch_size=4)))
    with home_at(tmp_path / "parts") as folder:
        found = facts(run_in_parts(folder, [1, 8, 20], first_batch_size=4))
    assert_same(found, expected)


def test_a_trained_model_has_no_small_batches_at_the_start_of_other_tweets(home: Path) -> None:
    run_session(demanding(home, first_batch_size=4), stop_at(7))
    write_corpus(home, [*small_tweets(), "one more about the tea"])

    emitted = run_session(resume_config(max_steps=8))

    assert only(emitted, e.RunStarted).training.first_batch_size == 0
    assert latest().position == Position(epoch=0, batch=1)
