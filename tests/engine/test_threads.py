"""The number of threads, and the precision, that a run takes: made-up speeds; and that measuring changes nothing."""

from __future__ import annotations

import json
import queue
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from torch import Tensor

from engine import commands as c
from engine import events as e
from engine import pace, runtime, threads, wire
from engine.calibration import Calibration, Way
from engine.checkpoint_info import CheckpointInfo, read_info
from engine.commands import Command
from engine.config import ModelConfig, RunConfig, RuntimeConfig, Setting, TrainingConfig
from engine.corpus.batches import BatchStream
from engine.corpus.encoded import Batch
from engine.corpus.position import Position
from engine.corpus_config import CorpusConfig
from engine.errors import DeviceError
from engine.events import Event
from engine.fast import gru_step
from engine.fast.gru_layer import GruLayer
from engine.folders import find_run
from engine.gru import TextGenerator
from engine.material import load_material
from engine.session import TrainingSession
from engine.stage import Stage
from engine.threads import Beginning, ThreadMinder, changes_since, first_columns, ways_to_try
from engine.trainer import Trainer
from engine.vocab import PAD
from tests.engine.checkpoints import checkpoint_info
from tests.engine.helpers import (
    CPU,
    encoded,
    losses,
    of_type,
    only,
    resume_config,
    run_session,
    stop_at,
    tiny_config,
    write_corpus,
)
from tests.engine.stream_rules import assert_keeps_the_rules
from tests.fakes import FakeClock, run_started

AUTO = RuntimeConfig(device="cpu", precision="float32")
ONE, TWO = Way(num_threads=1), Way(num_threads=2)
ROUGH = Way(num_threads=1, precision="bfloat16")
Speeds = dict[int, float]
"""Characters a second by the number of threads."""


def pretend(monkeypatch: pytest.MonkeyPatch, speeds: Speeds, num_cores: int = 2) -> None:
    """Let the machine have that many cores and those speeds; one turn is taken all the same."""

    def calibrate(ways: Sequence[Way], take_turn: Callable[[Way, int, int], int], _: object) -> Calibration:
        take_turn(ways[0], 0, 1)
        seconds = {way: [1000 / speeds[way.num_threads]] for way in ways}
        return Calibration(num_chars=[1000], seconds=seconds)

    monkeypatch.setattr(runtime, "available_cores", lambda: num_cores)
    monkeypatch.setattr(threads, "calibrate", calibrate)


def measure_after_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "WINDOW_SECONDS", 0.0)
    monkeypatch.setattr(pace, "MIN_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(pace, "MAX_LOOK_SECONDS", 0.0)


def auto_config(home: Path, **settings: Setting) -> RunConfig:
    config = tiny_config(write_corpus(home))
    return replace(config, settings={**config.settings, **settings}, runtime=AUTO)


def warnings_of(told: Iterable[Event]) -> list[str]:
    return [event.message for event in of_type(told, e.Warned)]


def trainer_with_all(precision: str = "float32") -> tuple[Trainer, list[Batch]]:
    """Return a trainer of two layers with dropout, and batches."""
    tweets, vocab = encoded()
    torch.manual_seed(0)
    shape = ModelConfig(embedding_size=4, hidden_size=6, num_layers=2, dropout=0.3)
    trainer = Trainer(
        TextGenerator.from_config(len(vocab), shape),
        TrainingConfig(weight_decay=0.1, max_grad_norm=0.5),
        replace(CPU, precision=precision),
    )
    stream = BatchStream(tweets, 8, seed=0, position=Position())
    return trainer, [next(stream) for _ in range(6)]


def everything(trainer: Trainer) -> dict[str, Tensor | None]:
    """Return copies of all that a step depends on or changes."""
    kept: dict[str, Tensor | None] = {name: tensor.clone() for name, tensor in trainer.state().items()}
    for name, parameter in trainer.model.named_parameters():
        kept[f"grad.{name}"] = None if parameter.grad is None else parameter.grad.clone()
    kept["generator"] = torch.get_rng_state()
    kept["is training"] = torch.tensor(trainer.model.training)
    return kept


def assert_unchanged(trainer: Trainer, before: dict[str, Tensor | None]) -> None:
    after = everything(trainer)
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        other = after[name]
        assert (tensor is None) == (other is None), name
        assert tensor is None or (other is not None and torch.equal(tensor, other)), name


def test_more_threads_than_cores_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runtime.available_cores", lambda: 2)

    with pytest.raises(DeviceError, match="There are 2 processor cores for this program; 3 threads"):
        runtime.Runtime.resolve(RuntimeConfig(threads=3))
    assert runtime.Runtime.resolve(RuntimeConfig(threads=2, device="cpu")).num_threads == 2


@pytest.mark.parametrize("num_steps", [0, 2])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_measuring_changes_no_weight_gradient_optimizer_or_generator(num_steps: int, precision: str) -> None:
    trainer, batches = trainer_with_all(precision)
    for batch in batches[:num_steps]:
        trainer.step(batch, 0.004)
    before = everything(trainer)

    ways = [Way(num_threads=number, precision=precision) for number in (1, 2)]
    calibration = threads.measure({precision: trainer}, ways, batches, lambda: None)

    assert calibration.num_chars
    assert_unchanged(trainer, before)


def test_training_goes_on_after_a_measurement_as_without_it() -> None:
    told = []
    for is_measured in (False, True):
        trainer, batches = trainer_with_all()
        for number, batch in enumerate(batches):
            if is_measured and number in {0, 3}:
                threads.measure({"float32": trainer}, [ONE, TWO], batches, lambda: None)
                torch.set_num_threads(1)
            trainer.step(batch, 0.004)
        told.append(trainer.take_report().train_losses)
    assert told[0] == told[1]


def test_two_precisions_are_measured_with_one_model() -> None:
    trainer, batches = trainer_with_all()
    rough = Trainer(trainer.model, TrainingConfig(), replace(CPU, precision="bfloat16"))
    before = everything(trainer)

    calibration = threads.measure({"float32": trainer, "bfloat16": rough}, [ONE, ROUGH], batches, lambda: None)

    assert all(calibration.seconds.values())
    assert_unchanged(trainer, before)


def test_a_measurement_that_is_broken_off_changes_nothing_either() -> None:
    trainer, batches = trainer_with_all()
    trainer.step(batches[0], 0.004)
    before = everything(trainer)
    turns = iter(range(5))

    minder = ThreadMinder(lambda: batches, 0.0)
    on = replace(CPU, num_threads=1)
    chosen, _ = minder.choose_again(trainer, on, lambda: next(turns, None) is None)

    assert (chosen, torch.get_num_threads()) == (on, 1)
    assert next(turns, None) is None
    assert_unchanged(trainer, before)


def test_the_first_characters_of_a_batch_are_a_batch() -> None:
    _, [batch, *_] = trainer_with_all()
    cut = first_columns(batch, 3)
    assert (cut.inputs.shape, cut.targets.shape) == ((len(batch.inputs), 3),) * 2
    assert cut.num_targets == (batch.targets[:, :3] != PAD).sum()
    whole = first_columns(batch, 1000)
    assert (whole.inputs.shape, whole.num_targets) == (batch.inputs.shape, batch.num_targets)


def test_batches_to_measure_with_are_those_of_the_run_and_always_the_same(home: Path) -> None:
    material = load_material(CorpusConfig(files=(str(write_corpus(home)),)), None, lambda _: None)
    first, again = material.some_batches(10), material.some_batches(10)
    assert [batch.inputs.tolist() for batch in first] == [batch.inputs.tolist() for batch in again]
    own = [tweet for batch in first for tweet in tweets_in(batch)]
    [every] = material.some_batches(10_000)
    assert len(first) == 5
    assert sorted(own) == sorted(tweets_in(every))
    assert len(own) == len(material.train_tweets)


def tweets_in(batch: Batch) -> list[tuple[int, ...]]:
    return [tuple(int(token_id) for token_id in row if token_id != PAD) for row in batch.inputs]


GPU = replace(CPU, device=torch.device("cuda"), num_threads=3, precision="bfloat16")


@pytest.mark.parametrize("has_bfloat16", [False, True])
def test_left_open_are_threads_and_precision_unless_they_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool
) -> None:
    monkeypatch.setattr(runtime, "available_cores", lambda: 2)
    monkeypatch.setattr(runtime, "has_fast_bfloat16", lambda: has_bfloat16)
    rough = [replace_precision(ONE), replace_precision(TWO)] if has_bfloat16 else []
    assert ways_to_try(RuntimeConfig(), CPU, None) == [ONE, TWO, *rough]
    assert ways_to_try(AUTO, CPU, None) == [ONE, TWO]
    assert ways_to_try(RuntimeConfig(threads=1), CPU, None) == [ONE, *rough[:1]]
    assert ways_to_try(RuntimeConfig(threads=1, precision="float32"), CPU, None) == [ONE]
    assert ways_to_try(RuntimeConfig(), GPU, None) == [Way(num_threads=3, precision="bfloat16")]


def replace_precision(way: Way) -> Way:
    return replace(way, precision="bfloat16")


def test_a_checkpoint_leaves_open_only_whether_one_thread_is_much_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "available_cores", lambda: 8)
    monkeypatch.setattr(runtime, "has_fast_bfloat16", lambda: True)
    two, four = replace(CPU, num_threads=2), replace(CPU, num_threads=4)
    assert ways_to_try(RuntimeConfig(), two, checkpoint_info(num_threads=2)) == [ONE, TWO]
    assert ways_to_try(RuntimeConfig(), CPU, checkpoint_info(num_threads=1)) == [ONE]
    fewer_cores = ways_to_try(RuntimeConfig(), four, checkpoint_info(num_threads=16))
    assert [way.num_threads for way in fewer_cores] == [1, 2, 4, 8]


def test_the_processor_says_whether_it_has_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"architecture": "x86_64", "avx2": True, "avx512_bf16": False, "cpu_name": "bf16", "sve_bf16_length": 1}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: told, raising=False)
    assert not runtime.has_fast_bfloat16()
    told["amx_bf16"] = True
    assert runtime.has_fast_bfloat16()
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not runtime.has_fast_bfloat16()


def test_what_was_chosen_is_told_and_written_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {1: 100.0, 2: 150.0})

    told = run_session(auto_config(home))

    assert_keeps_the_rules(told)
    started = only(told, e.RunStarted)
    folder = find_run("tiny")
    info = read_info(folder.checkpoint_path("latest"))[0]
    config = json.loads(folder.config_path.read_text())
    expected = (2, "float32", started.step_path)
    assert started.step_path in {"fast", "plain"}
    assert (started.num_threads, started.precision, started.step_path) == expected
    assert (info.num_threads, info.precision, info.step_path) == expected
    assert (config["num_threads"], config["precision"], config["step_path"]) == expected
    assert warnings_of(told) == []


def test_what_is_learned_is_what_the_chosen_number_of_threads_learns(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend(monkeypatch, {1: 100.0, 2: 50.0})
    config = auto_config(home, num_layers=2, dropout=0.3)
    asked = replace(config, runtime=replace(AUTO, threads=1), run_name="asked")

    assert losses(run_session(config)) == losses(run_session(asked))


def test_bfloat16_is_what_a_run_is_made_with_where_that_is_faster(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def calibrate(ways: Sequence[Way], take_turn: Callable[[Way, int, int], int], _: object) -> Calibration:
        seconds = {way: [1.0 if way.precision == "bfloat16" else 2.0] for way in ways}
        return Calibration(num_chars=[1000], seconds=seconds)

    monkeypatch.setattr(runtime, "has_fast_bfloat16", lambda: True)
    monkeypatch.setattr(threads, "calibrate", calibrate)
    config = replace(auto_config(home), runtime=RuntimeConfig(device="cpu", threads=1))
    asked = replace(config, runtime=replace(config.runtime, precision="bfloat16"), run_name="asked")

    told = run_session(config)

    assert only(told, e.RunStarted).precision == "bfloat16"
    assert losses(told) == losses(run_session(asked))


@pytest.mark.parametrize("way", ["fast", "plain"])
def test_a_trainer_knows_what_computes_its_steps(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "fast":
        pytest.importorskip("numba")
    else:
        monkeypatch.setattr(gru_step, "_fastest_layer_type", lambda: GruLayer)
    assert trainer_with_all()[0].path == way


def resumed(home: Path, before: int, wanted: RuntimeConfig) -> list[Event]:
    """Return what a resumed run tells that ran with `before` threads, on a machine that has them."""
    config = tiny_config(write_corpus(home), max_steps=3)
    with mock.patch.object(runtime, "available_cores", return_value=before):
        run_session(replace(config, runtime=replace(config.runtime, threads=before)), stop_at(1))
    return run_session(replace(resume_config(), runtime=wanted))


@pytest.mark.parametrize(
    ("before", "wanted", "num_cores", "speeds", "expected", "words"),
    [
        pytest.param(2, AUTO, 2, {1: 100, 2: 130}, 2, None, id="kept"),
        pytest.param(2, AUTO, 2, {1: 120, 2: 100}, 2, None, id="kept though a little slower"),
        pytest.param(1, AUTO, 2, {1: 100, 2: 150}, 1, None, id="kept though two would be faster"),
        pytest.param(2, AUTO, 2, {1: 100, 2: 10}, 1, "1 thread in place of 2 (10.0 times", id="a busy machine"),
        pytest.param(4, AUTO, 2, {1: 100, 2: 150}, 2, "2 threads in place of 4 (the machine has 2", id="fewer cores"),
        pytest.param(2, replace(AUTO, threads=2), 2, {}, 2, None, id="asked for the same"),
        pytest.param(2, replace(AUTO, threads=1), 2, {}, 1, "1 thread in place of 2.", id="asked for another"),
    ],
)
def test_a_resumed_run_keeps_its_threads_or_warns_that_it_is_exact_to_rounding_only(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    before: int,
    wanted: RuntimeConfig,
    num_cores: int,
    speeds: Speeds,
    expected: int,
    words: str | None,
) -> None:
    pretend(monkeypatch, speeds, num_cores)

    told = resumed(home, before, wanted)

    assert_keeps_the_rules(told)
    assert only(told, e.RunStarted).num_threads == expected
    if words is None:
        assert warnings_of(told) == []
    else:
        [warning] = warnings_of(told)
        assert "exact to rounding only" in warning
        assert words in warning


def changes(info: CheckpointInfo, path: str = "fast", num_threads: int = 1) -> str:
    trainer, _ = trainer_with_all()
    trainer.path = path
    beginning = Beginning(trainer=trainer, runtime=replace(CPU, num_threads=num_threads))
    return changes_since(info, beginning, is_asked_for=True)


def test_another_path_precision_or_device_than_the_checkpoints_is_told() -> None:
    assert changes(checkpoint_info(step_path="fast")) == ""
    assert changes(checkpoint_info(step_path="fast"), path="plain") == "the plain path in place of the fast one"
    assert changes(checkpoint_info(precision="bfloat16")) == "float32 in place of bfloat16"
    assert changes(checkpoint_info(device="cuda", num_threads=9)) == "cpu in place of cuda"


def test_checkpoints_and_journals_of_a_version_that_did_not_say_what_computed_them_are_read() -> None:
    info, started = checkpoint_info(step_path="fast"), run_started(step_path="fast")
    assert wire.decode(wire.encode(info), CheckpointInfo) == info
    old = wire.encode(info).replace('"step_path":"fast",', "")
    assert wire.decode(old, CheckpointInfo) == checkpoint_info(step_path="")
    assert e.from_json(e.to_json(started).replace('"step_path":"fast",', "")) == run_started(step_path="")


def test_a_checkpoint_that_does_not_say_what_computed_it_is_taken_as_it_is() -> None:
    assert checkpoint_info().step_path == ""
    assert changes(checkpoint_info()) == ""


def test_a_change_while_the_run_goes_on_is_told_and_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    speeds: Speeds = {1: 100.0, 2: 150.0}
    pretend(monkeypatch, speeds)
    measure_after_every_step(monkeypatch)

    def another_process(event: Event) -> Iterator[Command]:
        if event.step == 4:
            speeds[2] = 10.0
        yield from ()

    told = run_session(auto_config(home), on_event=another_process)

    assert_keeps_the_rules(told)
    assert only(told, e.RunStarted).num_threads == 2
    changed = only(told, e.ThreadsChanged)
    assert (changed.step, changed.num_threads) == (4, 1)
    assert "1 thread in place of 2, 10.0 times as fast" in changed.message
    assert torch.get_num_threads() == 1
    assert read_info(find_run("tiny").checkpoint_path("latest"))[0].num_threads == 1
    assert list(losses(told)) == list(range(1, 13))


def test_threads_that_were_asked_for_are_never_measured(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {})
    measure_after_every_step(monkeypatch)
    told = run_session(tiny_config(write_corpus(home)))
    assert isinstance(told[-1], e.RunFinished)
    assert not of_type(told, e.ThreadsChanged)


def test_nothing_is_measured_while_paused_and_only_steps_count(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {1: 100.0, 2: 50.0})
    clock = FakeClock()
    noted: list[tuple[float, int]] = []
    monkeypatch.setattr(ThreadMinder, "note", lambda _, seconds, num_chars: noted.append((seconds, num_chars)))

    def time_passes(event: Event) -> Iterator[Command]:
        clock.advance(60.0)
        if isinstance(event, e.Paused):
            yield c.Resume()

    config = auto_config(home, eval_every=2, sample_every=3)
    told = run_session(config, {5: [c.Pause()]}, on_event=time_passes, clock=clock)

    assert len(of_type(told, e.EvalFinished)) == 6
    assert len(noted) == 12
    assert {seconds for seconds, _ in noted} == {0.0}
    assert sum(num_chars for _, num_chars in noted) == only(told, e.RunFinished).total_chars


def clock_module(clock: FakeClock) -> object:
    class Module:
        monotonic = staticmethod(clock)

    return Module


def test_a_model_of_another_shape_is_measured_at_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_session(replace(tiny_config(write_corpus(home), hidden_size=9), run_name="other"))
    speeds: Speeds = {1: 100.0, 2: 50.0}
    pretend(monkeypatch, speeds)

    def another_model(event: Event) -> Iterator[Command]:
        if isinstance(event, e.ModelChanged):
            speeds[2] = 200.0
        yield from ()

    told = run_session(
        auto_config(home, max_steps=20), {3: [c.LoadCheckpoint(name="other/latest")]}, on_event=another_model
    )

    assert_keeps_the_rules(told)
    names = [type(event) for event in told]
    first = names.index(e.ModelChanged)
    assert names[first : first + 3] == [e.ModelChanged, e.CheckpointSaved, e.ThreadsChanged]


def test_a_run_can_be_stopped_while_its_threads_are_measured(home: Path) -> None:
    inbox: queue.SimpleQueue[Command] = queue.SimpleQueue()
    told: list[Event] = []

    def on_stage(stage: Stage) -> None:
        if "measuring" in stage.text:
            inbox.put(c.Stop(reason="enough"))

    with_two = pytest.MonkeyPatch()
    with_two.setattr(runtime, "available_cores", lambda: 2)
    try:
        TrainingSession(auto_config(home), on_stage).run(told.append, inbox)
    finally:
        with_two.undo()

    assert [type(event) for event in told] == [e.RunFinished]
    assert only(told, e.RunFinished).reason == "enough"


def test_a_command_comes_before_a_measurement(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, {1: 100.0, 2: 50.0})
    told = run_session(auto_config(home, max_steps=10**6), {2: [c.Stop()]})
    assert told[-1].step == 2
