"""The settings of a run: those of the preset or the checkpoint, overridden by those of the command line."""

from __future__ import annotations

from dataclasses import replace

from engine.compute.device import Runtime
from engine.config import presets
from engine.config.corpus import CorpusConfig
from engine.config.fields import field_names, option_of, with_settings
from engine.config.run import BUDGETS, ModelConfig, RunConfig, TrainingConfig
from engine.corpus.training_data import TrainingData
from engine.errors import ConfigError
from engine.session.startup.start import Start
from engine.training.new_model_speeds import NewModelSpeeds

OVERFIT_SETTINGS = {"dropout": 0.0, "weight_decay": 0.0, "max_steps": 1000}
TUTORIAL_OVERFIT_SETTINGS = {**OVERFIT_SETTINGS, "learning_rate": 0.001}
"""The settings of the tutorial's part (c)."""


def choose_settings(
    config: RunConfig, start: Start, data: TrainingData, runtime: Runtime, speeds: NewModelSpeeds | None
) -> tuple[ModelConfig, TrainingConfig]:
    """Return the settings of model and training; `speeds` measure the device for the preset. Raises `ConfigError`."""
    info, base = start.info, start.base
    if info is None:
        settings = config.settings
        if data.config.overfit is not None:
            is_tutorial = config.preset == "tutorial"
            settings = {**(TUTORIAL_OVERFIT_SETTINGS if is_tutorial else OVERFIT_SETTINGS), **settings}
        configs = presets.resolve_preset(
            config.preset,
            settings,
            data.corpus.num_train_chars,
            runtime.device.type,
            speeds_of=None if speeds is None else speeds.speeds_of,
            base=None if base is None else base.info.model,
        )
        return configs.model, _paced(configs.training, config, runtime, data.config)
    shape = {name: value for name, value in config.settings.items() if name in field_names(ModelConfig)}
    if any(getattr(info.model, name) != value for name, value in shape.items()):
        raise ConfigError(
            f"The checkpoint's model has another shape; {', '.join(map(option_of, shape))} can't be changed.",
            "Omit these options, or train a new model.",
        )
    training = with_settings(info.training, config.settings)
    if "patience" not in config.settings and config.settings.keys() & set(BUDGETS):
        training = replace(training, patience=0)
    if "batch_size" in config.settings or info.corpus_digest != data.corpus.digest:  # small batches are for a new model
        training = replace(training, first_batch_size=0)
    return info.model, _paced(training, config, runtime, data.config)


def _paced(training: TrainingConfig, config: RunConfig, runtime: Runtime, corpus: CorpusConfig) -> TrainingConfig:
    """Return the settings with what paces samples and evaluations; at an interval of the user's none is early.

    Steps alone do in a repeatable run and at intervals that the user set; also for evaluations on a CPU, and for the
    samples of an overfit run, which end it.
    """
    samples, pacing = training.sample_pacing, training.pacing
    if "sample_pacing" not in config.settings:
        if "sample_every" in config.settings or corpus.overfit is not None:
            samples = "interval"
        elif config.is_repeatable and samples == "seconds":
            samples = "doubling"
    if "pacing" not in config.settings:
        is_fixed = config.is_repeatable or "sample_every" in config.settings or "eval_every" in config.settings
        pacing = "steps" if is_fixed or runtime.device.type == "cpu" else pacing
    if "eval_every" in config.settings and "early_eval_tweets" not in config.settings:
        training = replace(training, early_eval_tweets=0)
    return replace(training, sample_pacing=samples, pacing=pacing)
