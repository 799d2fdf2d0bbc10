"""Event files for TensorBoard: few points of each run, live the same as exported; no fault of them changes the run."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.run import ModelConfig, RunConfig, RuntimeConfig, Setting, TrainingConfig
from engine.export import tensorboard
from engine.export.tensorboard import LiveTracker, Record, RecordStream, export_to_tensorboard
from engine.export.text_files import Thinned
from engine.protocol import commands as c
from engine.protocol import events as e
from engine.storage import files
from engine.storage.folders import find_run
from engine.storage.journal import SkippedLines
from tests import fakes
from tests.engine.helpers import losses, of_type, only, resume_config, run_session, stop_at, tiny_config, write_corpus
from tests.event_files import LOSS, RATE, VAL_LOSS, hparams_in, samples_in, scalars_in
from tests.fakes import BrokenDisk, eval_finished, run_started, steps_finished, steps_thinned, tweet_sampled
from tests.waiting import wait_until

BUSY: dict[str, Setting] = {"eval_every": 5, "sample_every": 4}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


def tracked(config: RunConfig, logs: Path) -> RunConfig:
    return replace(config, runtime=replace(config.runtime, tensorboard=str(logs)))


@pytest.fixture
def tracker(logs: Path) -> Iterator[LiveTracker]:
    """The tracker of a run after three steps with the losses 1, 2 and 3."""
    tracker = LiveTracker(logs, "tiny", continues=False)
    tracker.handle(run_started(run="tiny"))
    tracker.handle(steps_finished(1, [1.0, 2.0, 3.0]))
    yield tracker
    tracker.close()


def assert_exported_alike(logs: Path, other: Path) -> None:
    """Assert that the export of the run `tiny` has the points, samples and settings of the live event files."""
    export_to_tensorboard(find_run("tiny"), other, Thinned(), SkippedLines(), may_replace=False)
    assert scalars_in(other / "tiny") == scalars_in(logs / "tiny")
    assert samples_in(other / "tiny") == samples_in(logs / "tiny")
    assert hparams_in(other / "tiny") == hparams_in(logs / "tiny")


def test_a_run_has_each_step_evaluation_and_tweet_and_the_export_is_the_same(logs: Path, tmp_path: Path) -> None:
    config = tiny_config(write_corpus(tmp_path), learning_rate=0.03, warmup_steps=30, schedule="constant", **BUSY)
    emitted = run_session(tracked(config, logs), report_seconds=60.0)
    assert max(len(event.train_losses) for event in of_type(emitted, e.StepsFinished)) > 1
    found = scalars_in(logs / "tiny")
    assert dict(found[LOSS]) == pytest.approx(losses(emitted))
    assert dict(found[RATE]) == pytest.approx({step: step / 1000 for step in losses(emitted)})
    assert [step for step, _ in found[VAL_LOSS]] == [event.step for event in of_type(emitted, e.EvalFinished)]
    texts = [event.text for event in of_type(emitted, e.TweetSampled)]
    assert [markdown.split("\n\n    ")[1] for _, markdown in samples_in(logs / "tiny")] == texts
    assert hparams_in(logs / "tiny")["model/hidden_size"] == 8
    assert_exported_alike(logs, tmp_path / "other")
    run = find_run("tiny")  # the option belongs to the machine, so the run's own files do not have it
    for path in (run.config_path, run.journal_path, run.checkpoint_path("latest")):
        assert b"tensorboard" not in path.read_bytes()
    assert RuntimeConfig().tensorboard is None


@pytest.mark.parametrize("single_steps", [1000, 2])
def test_steps_that_a_load_and_a_resume_take_back_are_gone_live_and_exported(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, single_steps: int
) -> None:
    monkeypatch.setattr("engine.export.tensorboard.SINGLE_STEPS", single_steps)
    config = tiny_config(write_corpus(tmp_path), max_steps=20, save_every=6, **BUSY)
    loads = [c.LoadCheckpoint(name="step-6")]

    def load_once(event: e.Event) -> Iterable[c.Command]:
        return [loads.pop()] if loads and isinstance(event, e.StepsFinished) and event.step == 9 else ()

    run_session(tracked(config, logs), stop_at(15), load_once)
    shutil.copy(find_run("tiny").checkpoint_path("step-12"), find_run("tiny").checkpoint_path("latest"))
    run_session(tracked(resume_config("tiny"), logs))
    assert len(list((logs / "tiny").iterdir())) == 2
    found = [step for step, _ in scalars_in(logs / "tiny")[LOSS]]
    assert found == sorted(set(found))
    assert found[-1] == 20
    if single_steps > 20:
        assert found == list(range(1, 21))
    assert_exported_alike(logs, tmp_path / "other")


def test_runs_side_by_side_and_a_folder_that_breaks_change_no_step(logs: Path, tmp_path: Path) -> None:
    config = tiny_config(write_corpus(tmp_path), **BUSY)
    expected = losses(run_session(config))
    for name in ("one", "two"):
        assert losses(run_session(tracked(replace(config, run_name=name), logs))) == expected
    assert sorted(path.name for path in logs.iterdir()) == ["one", "two"]

    def break_folder(event: e.Event) -> Iterable[c.Command]:
        if event.step == 5:
            shutil.rmtree(logs, ignore_errors=True)
            logs.touch()
        return ()

    emitted = run_session(tracked(replace(config, run_name="other"), logs), on_event=break_folder)
    assert losses(emitted) == expected
    [warning] = of_type(emitted, e.Warned)
    assert f"{logs / 'other'}" in warning.message
    assert "the run continues" in warning.message
    assert isinstance(emitted[-1], e.RunFinished)


@pytest.mark.usefixtures("tracker")
def test_events_are_in_the_file_before_the_run_has_ended(logs: Path) -> None:
    wait_until(lambda: scalars_in(logs / "tiny").get(LOSS) == [(1, 1.0), (2, 2.0), (3, 3.0)])


def test_a_folder_of_another_run_or_not_writable_is_an_error(logs: Path, tmp_path: Path, home: Path) -> None:
    (logs / "tiny").mkdir(parents=True)
    (logs / "tiny" / "events.out.tfevents.1.x").touch()
    config = tiny_config(write_corpus(tmp_path))
    failed = only(run_session(tracked(config, logs)), e.RunFailed)
    assert "has the events of another run" in failed.detail
    assert "--run-name" in failed.hint
    (tmp_path / "file").touch()
    assert "can't be written" in only(run_session(tracked(config, tmp_path / "file")), e.RunFailed).detail
    assert list((home / "runs").iterdir()) == []  # the name is free again


def test_an_attempt_that_starts_again_takes_all_points_of_the_one_before_back(logs: Path, tracker: LiveTracker) -> None:
    tracker.close()
    again = LiveTracker(logs, "tiny", continues=True)
    again.handle(run_started(run="tiny"))
    again.handle(steps_finished(1, [9.0]))
    again.close()
    assert scalars_in(logs / "tiny")[LOSS] == [(1, 9.0)]


def test_a_file_is_read_after_those_before_it_even_if_the_clock_went_back(tmp_path: Path) -> None:
    (tmp_path / "events.out.tfevents.9999999998.x").touch()
    assert tensorboard.new_event_file(tmp_path).name.startswith("events.out.tfevents.9999999999.")


def test_a_full_disk_is_reported_once_and_what_it_did_not_take_is_written_later(
    logs: Path, tracker: LiveTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker.flush()
    disk = BrokenDisk(breaks_at=0)  # on which `write_all` writes half of the bytes, then fails
    monkeypatch.setattr(files, "os", disk)
    for step, problem in ((4, "No space left on device: events for TensorBoard are not written, tried"), (5, "")):
        tracker.handle(steps_finished(step, [float(step)]))
        tracker.flush()
        found = tracker.drain_problem()
        assert found.startswith(problem)
        assert bool(found) == bool(problem)
    disk.breaks_at = None
    tracker.handle(steps_finished(6, [6.0]))
    tracker.close()
    assert scalars_in(logs / "tiny")[LOSS] == [(step, float(step)) for step in range(1, 7)]


def test_a_file_that_was_deleted_is_created_again_with_what_follows(logs: Path, tracker: LiveTracker) -> None:
    tracker.flush()
    shutil.rmtree(logs)
    tracker.handle(steps_finished(4, [4.0]))
    tracker.close()
    assert scalars_in(logs / "tiny")[LOSS] == [(4, 4.0)]
    assert tracker.drain_problem() == ""


def test_a_disk_that_blocks_does_not_block_the_training(
    logs: Path, tracker: LiveTracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard, "MAX_WAITING", 5)
    monkeypatch.setattr(tensorboard, "_CLOSE_SECONDS", 0.2)
    tracker.flush()
    [path] = (logs / "tiny").iterdir()
    os.mkfifo(logs / "pipe")  # opening it for writing blocks until there is a reader
    (logs / "pipe").replace(path)  # at once: a write in between would create the file again
    tracker.handle(steps_finished(4, [4.0]))
    tracker.flush()
    for step in range(5, 50):
        tracker.handle(steps_finished(step, [1.0]))
    tracker.close()
    assert "The disk does not answer" in tracker.drain_problem()
    assert tracker.drain_problem() == ""
    with open(path, "rb", buffering=0):  # lets the thread continue
        path.unlink()


# The points of a run --------------------------------------------------------------------------------------------------

LATER = tensorboard.SINGLE_STEPS + 1


def at(second: float, first_step: int, losses: Iterable[float]) -> e.StepsFinished:
    return steps_finished(first_step, losses, elapsed_seconds=second)


STREAMS: dict[str, list[e.Event]] = {
    "loss in nats and bits, norm, rate and speed": [
        steps_finished(7, [math.log(2) * 3], grad_norms=(0.5,), chars_per_second=9.0)
    ],
    "a speed that is not measured yet": [steps_finished(1, [1.0], chars_per_second=0.0)],
    "each of the first steps, later ones averaged over a second": [
        at(4.1, tensorboard.SINGLE_STEPS - 1, [5.0, 4.0, 3.0, 2.0]),
        at(4.9, tensorboard.SINGLE_STEPS + 3, [1.0]),
        at(5.0, tensorboard.SINGLE_STEPS + 4, [9.0, 7.0]),
    ],
    "a slow run": [at(2.0 * number, LATER + number, [float(number)]) for number in range(4)],
    "the mean of a bucket, and of small buckets of one second": [
        steps_thinned(1, 64, mean_loss=2.5, elapsed_seconds=2.0),
        steps_thinned(65, 66, mean_loss=1.0),
        steps_thinned(67, 72, mean_loss=3.0),
    ],
    "the mean before a pause": [at(1.0, LATER, [1.0]), fakes.paused(LATER, 1.5), at(1.7, LATER + 1, [2.0])],
    "the mean before a load": [at(1.0, LATER, [1.0]), fakes.checkpoint_loaded(LATER, "x"), at(1.7, LATER + 1, [2.0])],
    "an evaluation": [eval_finished(12, 2.0)],
    "tweets": [tweet_sampled("a `b` **c**", 5, novelty="copy", temperature=1.0), tweet_sampled("a", reached_eos=False)],
}


def records_of(*events: e.Event) -> list[Record]:
    stream = RecordStream()
    found = [record for event in events for record in stream.records_of(event, event.elapsed_seconds)]
    return [*found, *stream.finish()]


def line_of(record: Record) -> str:
    match record.content:
        case dict() as values:
            what = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        case str() as markdown:
            what = markdown.replace("\n", "⏎")
        case _:
            what = "TakenBack"
    return f"step {record.step} at {record.wall_time:.4g} s: {what}"


@pytest.mark.parametrize("name", STREAMS)
def test_events_become_these_records(name: str, snapshot: SnapshotAssertion) -> None:
    assert "\n".join(map(line_of, records_of(*STREAMS[name]))) == snapshot


def test_the_settings_have_flat_names_and_omit_those_without_a_value() -> None:
    started = run_started(model=ModelConfig(hidden_size=7), training=TrainingConfig(max_steps=9, preset_reason="x"))
    [_, settings] = records_of(started)
    assert isinstance(settings.content, e.RunStarted)
    found = tensorboard.settings_of(settings.content)
    assert (found["model/hidden_size"], found["training/max_steps"], found["sampling/temperature"]) == (7, 9, 0.8)
    assert found["corpus"] == "happy.csv"
    assert not {"training/max_seconds", "training/preset_reason", "sampling/avoid"} & found.keys()


def test_a_load_that_follows_after_the_first_pass_takes_nothing_back() -> None:
    before = (run_started(), steps_finished(1, [1.0] * 3))
    after = records_of(*before, fakes.checkpoint_loaded(1, "x"), steps_finished(2, [2.0]))
    assert [each.step for each in tensorboard.remaining_records(records_of(*before), after)] == [0, 1, 2, 3, 2]
