"""Configs refuse invalid values with two lines; presets choose settings by corpus, device and budget.

`tutorial` has the tutorial's own settings; the user's settings come before those of any preset.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, get_args

import pytest
from syrupy.assertion import SnapshotAssertion

from engine.config.corpus import CorpusConfig, FileFormat
from engine.config.fields import field_help
from engine.config.presets import PresetConfigs, resolve_preset
from engine.config.run import ModelConfig, RunConfig, RuntimeConfig, Setting, TrainingConfig
from engine.config.sampling import MAX_DRAFTS, MAX_DRAFTS_IN_RUN, SamplingConfig
from engine.errors import ConfigError
from tests.engine.corpus.reading import Case, listed, recorded_cases, repeated

HUGE = 10**400
KINDS = {
    kind.__name__: kind
    for kind in (ModelConfig, TrainingConfig, SamplingConfig, CorpusConfig, RuntimeConfig, RunConfig)
}


@recorded_cases("refused_settings")
def test_a_value_that_is_not_allowed_is_refused(case: Case, snapshot: SnapshotAssertion) -> None:
    """Each row is a JSON object of fields; the two lines of its error follow."""
    lines = []
    for row in str(case.files["rows"]).splitlines():
        with pytest.raises(ConfigError) as caught:
            KINDS[case.name](**json.loads(repeated(row)))
        lines += [row, f"    {caught.value.message}", f"    {caught.value.hint}"]
    found = "\n".join(lines).replace(str(HUGE), "HUGE")
    assert found.replace(", ".join(get_args(FileFormat)), "FORMATS") == snapshot


def test_every_encoding_is_known_and_each_setting_of_the_filter_makes_one_whose_help_names_both_bounds() -> None:
    for encoding in ("gbk", "GB18030", "euc-kr", "Shift_JIS", "Windows-1251", "latin-1", "utf-16-le"):
        assert CorpusConfig(encoding=encoding).encoding == encoding
    settings: list[dict[str, Any]] = [{"only_new": True}, {"avoid": ("word",) * 2000}, {"must_contain": "x"}]
    settings += [{"min_length": 1}, {"best_of": 2}]
    assert all(SamplingConfig(**setting).has_filter for setting in settings)
    assert not SamplingConfig(temperature=2.0, min_p=0.1, temperature_last=True, max_length=9).has_filter
    text = field_help(SamplingConfig)["only_new"]
    assert f"up to {MAX_DRAFTS:,} drafts per tweet" in text
    assert f"in a run {MAX_DRAFTS_IN_RUN}" in text


SMALL, LARGE = 100_000, 5_000_000
CONDITIONS: dict[str, Any] = {"num_train_chars": LARGE, "device_type": "cpu", "base": None}


def row(case: object, configs: PresetConfigs) -> str:
    """Return what a preset chose in this case, in lines."""
    model, training = configs.model, configs.training
    embeddings = f"{model.embedding_size}{' tied' if model.tied_embeddings else ''}"
    lines = (
        f"hidden {model.hidden_size} x {model.num_layers}, embeddings {embeddings}, n-grams {model.ngram_order}",
        f"dropout {model.dropout}, decay {training.weight_decay:g}, of n-grams {training.ngram_decay:g}",
        f"{training.schedule} rate {training.learning_rate}, {training.warmup_steps} steps of warm-up",
        f"batches of {training.batch_size}, {training.first_batch_size} at first, norm {training.max_grad_norm}",
        f"evaluation every {training.eval_every}, tweet every {training.sample_every} ({training.sample_pacing})",
        training.preset_reason,
        *([f"patience {training.patience}, average lag {training.average_lag}"] if training.patience else ()),
    )
    return "\n    ".join((str(case), *lines))


BASE = ModelConfig(embedding_size=256, hidden_size=256, tied_embeddings=True)


def measured_speeds(
    speed: float,
    price: float,
    too_large: float,
    measured: list[str],
    configs: PresetConfigs,
    batch_sizes: Sequence[int],
) -> list[float] | None:
    """Return `speed`, or 0 for a model that does not fit; what was measured is added to `measured`.

    With a `price`, of a character in batches of 8, the speed is that of one layer of 256, and others are slower; there
    is time for three models.
    """
    if price and len(measured) == 3:
        return None
    model = configs.model
    measured.append(f"{model.hidden_size} x {model.num_layers} in batches of {' and '.join(map(str, batch_sizes))}")
    if model.hidden_size >= too_large:
        return [0.0 for _ in batch_sizes]
    if price:
        speed *= 256**2 / (model.num_layers * model.hidden_size**2)
    return [speed, speed / price] if price else [speed]


@recorded_cases("presets")
def test_auto_chooses(case: Case, snapshot: SnapshotAssertion) -> None:
    """With a `speed` a device is measured, on which models fit that are smaller than `too_large`."""
    lines = []
    for options in case.options:
        settings = {name: json.loads(value) if value[0].isdigit() else value for name, value in options.items()}
        conditions = {name: settings.pop(name, default) for name, default in CONDITIONS.items()}
        conditions["base"] = BASE if conditions["base"] else None
        speed, price = settings.pop("speed", 0.0), settings.pop("price", 0.0)
        too_large, measured = settings.pop("too_large", math.inf), list[str]()

        measure = partial(measured_speeds, speed, price, too_large, measured)
        found = resolve_preset("auto", settings, **conditions, speeds_of=measure if speed else None)
        lines.append(row(listed(options), found))
        if speed:
            lines.append(f"    measured: {', '.join(measured) or 'nothing'}")
    assert "\n".join(lines) == snapshot


def test_the_tutorial_preset_depends_on_nothing_but_the_users_settings(snapshot: SnapshotAssertion) -> None:
    [found] = {
        row("tutorial", resolve_preset("tutorial", {}, num_chars, device, base=base))
        for num_chars in (SMALL, LARGE)
        for device in ("cpu", "cuda")
        for base in (None, BASE)
    }
    assert found == snapshot
    settings: dict[str, Setting] = {"hidden_size": 33, "learning_rate": 0.5, "max_steps": 7, "top_k": 3}
    configs = resolve_preset("tutorial", settings, LARGE, "cpu")
    assert configs.model == replace(ModelConfig(), hidden_size=33)
    assert (configs.training.learning_rate, configs.training.max_steps) == (0.5, 7)
