"""Presets: the tutorial's own settings, `auto` by corpus, device and budget, and the user's settings over both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from engine.config import presets
from engine.config.presets import PresetConfigs
from engine.config.run import ModelConfig, PresetName, Setting

SMALL, LARGE = 100_000, 5_000_000


def resolve(
    preset: PresetName,
    num_train_chars: int = LARGE,
    device_type: str = "cpu",
    settings: Mapping[str, Setting] | None = None,
) -> PresetConfigs:
    return presets.resolve_preset(preset, settings or {}, num_train_chars, device_type)


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
@pytest.mark.parametrize("num_train_chars", [SMALL, LARGE])
def test_the_tutorial_preset_does_not_depend_on_corpus_or_device(num_train_chars: int, device_type: str) -> None:
    configs = resolve("tutorial", num_train_chars, device_type)
    assert configs.model == ModelConfig(embedding_size=128, hidden_size=128, num_layers=1, dropout=0.0)
    training = configs.training
    assert (training.learning_rate, training.batch_size) == (0.004, 32)
    assert (training.sample_every, training.sample_pacing) == (100, "interval")
    assert (training.schedule, training.warmup_steps, training.weight_decay, training.max_grad_norm) == (
        "constant",
        0,
        0.0,
        0.0,
    )
    assert "CSC321" in training.preset_reason


@pytest.mark.parametrize("preset", ["auto", "tutorial"])
def test_the_users_settings_override_the_preset(preset: PresetName) -> None:
    settings: dict[str, Setting] = {"hidden_size": 33, "learning_rate": 0.5, "max_steps": 7, "top_k": 3}
    configs = resolve(preset, settings=settings)
    assert configs.model.hidden_size == 33
    assert (configs.training.learning_rate, configs.training.max_steps) == (0.5, 7)
    assert configs.training.preset == preset


def test_auto_chooses_a_larger_model_for_a_larger_corpus_and_a_faster_device() -> None:
    one_hour = {"max_seconds": 3600.0}
    by_corpus = [
        resolve("auto", num_chars, settings=one_hour).model.hidden_size for num_chars in (SMALL, 2_000_000, LARGE)
    ]
    by_device = [resolve("auto", LARGE, device_type).model.hidden_size for device_type in ("cpu", "mps", "cuda")]
    assert by_corpus == sorted(set(by_corpus))
    assert by_device == [256, 256, 1024]
    assert resolve("auto", SMALL, "cuda").model.hidden_size == by_corpus[0]
    three_minutes = {"max_seconds": 180.0}
    by_corpus = [resolve("auto", num_chars, settings=three_minutes).model.num_layers for num_chars in (SMALL, 400_000)]
    assert by_corpus == [1, 2]


def test_auto_chooses_a_larger_model_for_a_larger_budget_in_seconds_steps_or_epochs() -> None:
    for name, amounts in {
        "max_seconds": (60, 180, 600),
        "max_steps": (3000, 7000, 30_000),
        "epochs": (1, 3, 10),
    }.items():
        models = [resolve("auto", settings={name: amount}).model for amount in amounts]
        sizes = [(model.hidden_size, model.num_layers) for model in models]
        assert sizes == sorted(set(sizes)), name


def test_auto_chooses_a_larger_model_where_bfloat16_is_faster() -> None:
    three_minutes = {"max_seconds": 180.0}
    sizes = []
    for speedup in (1.0, 1.2, 2.2):
        model = presets.resolve_preset("auto", three_minutes, LARGE, "cpu", bfloat16_speedup=speedup).model
        sizes.append((model.hidden_size, model.num_layers))
    assert sizes == [(256, 2), (256, 2), (384, 2)]


def test_auto_begins_with_small_batches_on_a_cpu_unless_steps_or_their_size_are_set() -> None:
    assert resolve("auto").training.first_batch_size == 8
    assert resolve("auto", settings={"max_seconds": 60.0}).training.first_batch_size == 8
    for settings in ({"max_steps": 300}, {"batch_size": 64}):
        assert resolve("auto", settings=settings).training.first_batch_size == 0
    assert resolve("auto", device_type="cuda").training.first_batch_size == 0
    assert resolve("tutorial").training.first_batch_size == 0


def test_auto_ties_the_embeddings_unless_their_size_was_set() -> None:
    tied = resolve("auto", settings={"hidden_size": 96}).model
    assert (tied.embedding_size, tied.tied_embeddings) == (96, True)
    free = resolve("auto", settings={"hidden_size": 96, "embedding_size": 32}).model
    assert (free.embedding_size, free.tied_embeddings) == (32, False)
    assert not resolve("tutorial").model.tied_embeddings


def test_auto_has_an_n_gram_input_on_a_cpu_unless_it_is_set() -> None:
    assert resolve("auto").model.ngram_order == 4
    assert resolve("auto", settings={"ngram_order": 0}).model.ngram_order == 0
    assert resolve("auto", settings={"ngram_order": 3}).model.ngram_order == 3
    assert resolve("auto", device_type="cuda").model.ngram_order == 0
    assert resolve("tutorial").model.ngram_order == 0


def test_the_decay_of_the_n_gram_input_is_the_same_in_each_epoch_however_many_steps_it_has() -> None:
    decay = {size: resolve("auto", num_train_chars=size).training.ngram_decay for size in (100_000, 1_000_000, 10**7)}
    assert decay[1_000_000] == pytest.approx(10 * decay[10**7]) == pytest.approx(decay[100_000] / 10)
    larger_steps = resolve("auto", num_train_chars=10**7, settings={"batch_size": 64}).training.ngram_decay
    assert larger_steps == pytest.approx(2 * decay[10**7])
    assert resolve("auto", num_train_chars=1_000, settings={"batch_size": 1024}).training.ngram_decay == 10
    assert resolve("auto", settings={"ngram_decay": 0.0}).training.ngram_decay == 0


def test_the_warm_up_of_a_short_run_is_a_tenth_of_it() -> None:
    steps = [
        resolve("auto", settings={"max_steps": num_steps}).training.warmup_steps for num_steps in (5, 40, 600, 9000)
    ]
    assert steps == [1, 4, 60, 100]
    assert resolve("auto").training.warmup_steps == 40
    assert resolve("auto", settings={"batch_size": 32}).training.warmup_steps == 100
    assert resolve("auto", 20_000, settings={"epochs": 3}).training.warmup_steps == 2


def test_auto_evaluates_at_least_every_two_epochs_of_a_small_corpus_but_not_more_often_than_every_25_steps() -> None:
    intervals = [resolve("auto", num_chars).training.eval_every for num_chars in (9_300, 120_000, 500_000, LARGE)]
    assert intervals == [25, 100, 417, 500]
    assert resolve("auto", 120_000, settings={"batch_size": 8}).training.eval_every == 400
    assert resolve("auto", 9_300, settings={"eval_every": 70}).training.eval_every == 70
    assert resolve("tutorial", 9_300).training.eval_every == 500


@pytest.mark.parametrize("budget", [{"max_steps": 100}, {"max_seconds": 10.0}, {"epochs": 2.0}])
def test_auto_lowers_the_learning_rate_to_the_end_of_a_budget(budget: dict[str, Setting]) -> None:
    assert resolve("auto", settings=budget).training.schedule == "cooldown"
    assert "cooldown" in resolve("auto", settings=budget).training.preset_reason


@pytest.mark.parametrize(
    ("settings", "schedule"),
    [
        ({}, ", batches of 8 at first, constant rate: no end is set"),
        ({"hidden_size": 77, "batch_size": 32}, ", constant rate: no end is set"),
        ({"schedule": "cosine", "batch_size": 32}, ", cosine needs a budget, and none is set: the rate stays constant"),
        ({"schedule": "constant", "max_steps": 9}, ""),
    ],
)
def test_the_reason_of_auto_names_only_what_it_chose(settings: dict[str, Setting], schedule: str) -> None:
    configs = resolve("auto", settings=settings)
    size, _, reason = configs.training.preset_reason.partition(" for ")
    assert (f"hidden {configs.model.hidden_size}" in size) == ("hidden_size" not in settings)
    assert reason == f"5,000,000 characters on cpu{schedule}"


# on a device ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chars_per_second", "expected"), [(3e6, (1024, 1)), (3e5, (512, 2)), (5e4, (384, 2)), (2e4, (256, 1))]
)
def test_auto_chooses_the_largest_model_that_a_device_trains_enough(
    chars_per_second: float, expected: tuple[int, int]
) -> None:
    measured: list[tuple[int, int]] = []

    def speed_of(model: ModelConfig, batch_size: int) -> float:
        measured.append((model.hidden_size, batch_size))
        return chars_per_second

    configs = presets.resolve_preset("auto", {}, LARGE, "cuda", speed_of=speed_of)

    assert (configs.model.hidden_size, configs.model.num_layers) == expected
    sizes = [size for size, _ in measured]
    assert sizes == sorted(set(sizes), reverse=True), "no larger model is measured than needed, and none twice"
    assert {batch_size for _, batch_size in measured} == {configs.training.batch_size}


def test_auto_measures_no_device_for_a_budget_in_steps_or_epochs() -> None:
    def speed_of(*_: object) -> float:
        raise AssertionError("measured")

    for settings in ({"max_steps": 40_000}, {"epochs": 20}, {"max_steps": 300, "epochs": 2.0}):
        configs = presets.resolve_preset("auto", settings, LARGE, "cuda", speed_of=speed_of)
        assert configs.model.hidden_size == (256 if "epochs" in settings and "max_steps" in settings else 1024)


def test_a_model_that_does_not_fit_the_device_gives_way_to_a_smaller_one() -> None:
    def speed_of(model: ModelConfig, _: int) -> float:
        return 0.0 if model.hidden_size == 1024 else 1e6

    assert presets.resolve_preset("auto", {}, LARGE, "cuda", speed_of=speed_of).model.hidden_size == 512


def test_auto_measures_the_sizes_that_the_user_set() -> None:
    measured: list[ModelConfig] = []

    def speed_of(model: ModelConfig, _: int) -> float:
        measured.append(model)
        return 1e6

    settings: dict[str, Setting] = {"hidden_size": 700, "num_layers": 3, "max_seconds": 60}
    model = presets.resolve_preset("auto", settings, LARGE, "cuda", speed_of=speed_of).model
    assert {(each.hidden_size, each.num_layers) for each in measured} == {(700, 3)}
    assert (model.hidden_size, model.num_layers) == (700, 3)


def test_a_run_from_a_base_has_its_sizes_a_lower_rate_and_the_dropout_and_schedule_of_its_budget() -> None:
    base = ModelConfig(embedding_size=256, hidden_size=256, tied_embeddings=True)
    for device_type in ("cpu", "cuda"):
        warm = presets.resolve_preset("auto", {"max_seconds": 60.0}, SMALL, device_type, base=base)
        cold = presets.resolve_preset("auto", {"max_seconds": 60.0}, SMALL, device_type)
        assert replace(warm.model, dropout=0.0, ngram_order=0) == base
        assert warm.model.dropout > 0
        assert warm.training.learning_rate < cold.training.learning_rate
        assert warm.training.schedule == "cooldown"
        assert warm.training.preset_reason.startswith("the shipped model, hidden 256, for ")
    assert presets.resolve_preset("tutorial", {}, SMALL, "cpu", base=base).model == ModelConfig()
