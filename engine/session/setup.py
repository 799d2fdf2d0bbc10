"""From the wishes of a `RunConfig` to everything that a run needs: tweets read, model built or loaded, folder made.

Whatever the user's files or settings do not allow is found out here, before the first step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from engine.checkpoints.catalog import latest_of, require_own_files, resolve_checkpoint
from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoints.metadata import CheckpointInfo
from engine.compute import device as runtime
from engine.compute.device import Runtime
from engine.config import presets
from engine.config.run import ModelConfig, RunConfig, SamplingConfig, TrainingConfig, field_names, with_settings
from engine.corpus.batches import BatchStream
from engine.corpus.corpus import Corpus
from engine.corpus.encoded_tweets import EncodedTweets
from engine.corpus.position import Position
from engine.corpus.report import summary_lines
from engine.corpus.training_data import TrainingData, corpus_config_of, load_training_data
from engine.errors import CheckpointError, ConfigError
from engine.model.gru import TextGenerator
from engine.protocol import codec
from engine.protocol.stage import Stage
from engine.session import thread_tuning as threads
from engine.session.progress import budget_used_up
from engine.session.thread_tuning import ThreadTuner, TuningResult, computation_changes
from engine.storage.folders import RunFolder, create_run_folder
from engine.training.trainer import Trainer

OVERFIT_SETTINGS = {"dropout": 0.0, "weight_decay": 0.0, "max_steps": 1000}


@dataclass(kw_only=True)
class Preparation:
    """All that a run begins with."""

    folder: RunFolder
    training_data: TrainingData
    val_tweets: EncodedTweets
    runtime: Runtime
    model_config: ModelConfig
    training: TrainingConfig
    sampling: SamplingConfig
    trainer: Trainer
    thread_tuner: ThreadTuner | None
    """None where the number of threads was set by hand, or there is nothing to choose."""
    batches: BatchStream
    start: CheckpointInfo | None
    """Where the run goes on from; None begins anew."""
    resumed_from: str | None
    warnings: list[str]


def prepare(
    config: RunConfig, resumed: RunFolder | None, on_stage: Callable[[Stage], None], *, may_be_over: bool = False
) -> Preparation:
    """Read, build or load everything; `resumed` is the run to go on with, which the caller has locked.

    `on_stage` is called with what is being done; what it raises, and whatever else fails, leaves nothing behind: a new
    run's folder is made last. Raises `TweetgenError`s. A checkpoint whose budget is used up is refused, unless the run
    `may_be_over` from the start.
    """
    if config.resume or config.checkpoint:
        on_stage(Stage("reading the checkpoint"))
    checkpoint, resumed_from = _find_start(config, resumed)
    info = checkpoint.info if checkpoint else None
    training_data = load_training_data(
        corpus_config_of(config, info.corpus if info else None), checkpoint.vocab if checkpoint else None, on_stage
    )
    corpus, vocab = training_data.corpus, training_data.vocab
    stage = Stage("building the model", report=tuple(summary_lines(corpus.report)))
    on_stage(stage)
    device_runtime = threads.runtime_for(config, info)
    model_config, training = _choose(config, info, corpus, device_runtime)
    usual_sampling = info.sampling if info else SamplingConfig(max_length=training_data.config.max_length)
    sampling = with_settings(usual_sampling, config.settings)
    vocab.encode_strict(sampling.prime)
    device_runtime.apply()
    runtime.seed_generators(training.seed)
    model = TextGenerator.from_config(len(vocab), model_config).to(device_runtime.device)
    candidates = threads.candidates_for(config, device_runtime, info)
    trainers = {
        candidate.precision: Trainer(model, training, replace(device_runtime, precision=candidate.precision))
        for candidate in candidates
    }
    if checkpoint:
        load_into(trainers[device_runtime.precision], checkpoint, device_runtime)
    some_batches = partial(training_data.some_batches, training.batch_size)
    on_trial = partial(on_stage, replace(stage, text="measuring what is fastest here"))
    result = threads.begin(trainers, candidates, device_runtime, some_batches, on_trial)
    has_same_tweets = info is not None and info.corpus_digest == corpus.digest
    position = training_data.resume_position(info.corpus_digest, info.position) if info else Position()
    batches = training_data.batches(training, position, info.training.batch_size if info else None)
    has_finished = config.resume is not None and info is not None and info.has_finished
    if info and not may_be_over:
        _check_budget(info, training, batches)
    val_tweets = training_data.some_validation_tweets(training.eval_tweets)
    thread_tuner = ThreadTuner.for_run(config.runtime, result, some_batches)
    on_stage(replace(stage, text="starting the run"))
    return Preparation(
        folder=resumed or create_run_folder(config.run_name),
        training_data=training_data,
        val_tweets=val_tweets,
        runtime=result.runtime,
        model_config=model_config,
        training=training,
        sampling=sampling,
        trainer=result.trainer,
        thread_tuner=thread_tuner,
        batches=batches,
        start=_without_finish(info) if has_finished or config.resume is None else info,
        resumed_from=resumed_from,
        warnings=[
            *(["The run had finished; it goes on at its learning rate."] if has_finished else []),
            *_warnings(config, info, result, has_same_tweets=has_same_tweets),
        ],
    )


def _without_finish(info: CheckpointInfo | None) -> CheckpointInfo | None:
    """Return the start of a run that is not to finish where its checkpoint was."""
    return None if info is None else replace(info, finish=None)


def load_into(trainer: Trainer, checkpoint: Checkpoint, on: Runtime) -> None:
    """Put weights, optimizer and global generators where the checkpoint had them. Raises `CheckpointError`."""
    try:
        trainer.load_state(checkpoint.tensors, checkpoint.info.step)
        states = {
            name.removeprefix("generator."): tensor
            for name, tensor in checkpoint.tensors.items()
            if name.startswith("generator.")
        }
        runtime.restore_generator_states(states, on.device)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError("The checkpoint's tensors do not fit the model that it describes.") from error


def _find_start(config: RunConfig, resumed: RunFolder | None) -> tuple[Checkpoint | None, str | None]:
    """Return the checkpoint to go on from, and what it is called; None where there is none."""
    if resumed is not None:
        return load_checkpoint(latest_of(resumed)), f"{resumed.name}/latest"
    if config.checkpoint is not None:
        path = resolve_checkpoint(config.checkpoint)
        checkpoint = load_checkpoint(path)
        if config.corpus is None:
            require_own_files(path, checkpoint.info)
        return checkpoint, config.checkpoint
    return None, None


def _choose(
    config: RunConfig, info: CheckpointInfo | None, corpus: Corpus, on: Runtime
) -> tuple[ModelConfig, TrainingConfig]:
    """Return the settings of the run: the preset's or the checkpoint's, with those set by hand over them."""
    if info is None:
        settings = config.settings
        if config.corpus is not None and config.corpus.overfit is not None:
            settings = {**OVERFIT_SETTINGS, **settings}
        candidates = threads.candidates_for(config, on, None)
        has_bfloat16 = runtime.cpu_has_bfloat16() and any(candidate.precision == "bfloat16" for candidate in candidates)
        configs = presets.resolve_preset(
            config.preset, settings, corpus.num_train_chars, on.device.type, has_bfloat16=has_bfloat16
        )
        return configs.model, configs.training
    wishes = {name: value for name, value in config.settings.items() if name in field_names(ModelConfig)}
    if any(getattr(info.model, name) != value for name, value in wishes.items()):
        raise ConfigError(
            f"The checkpoint's model has another shape; {', '.join(wishes)} can't be changed.",
            "Leave it out, or train anew.",
        )
    return info.model, with_settings(info.training, config.settings)


def _check_budget(info: CheckpointInfo, training: TrainingConfig, batches: BatchStream) -> None:
    """Raise `ConfigError` where the checkpoint that a run goes on from has used up its budget already."""
    budget = budget_used_up(training, (info.step, batches.epochs, info.elapsed_seconds))
    if budget is not None:
        option = "--" + budget.replace("_", "-")
        raise ConfigError(
            f"The checkpoint was trained for {info.step:,} steps in {info.elapsed_seconds:.0f} seconds already; "
            f"the run would end at once, by {option} {getattr(training, budget):g}.",
            f"Give a larger {option}.",
        )


def _warnings(
    config: RunConfig,
    info: CheckpointInfo | None,
    result: TuningResult,
    *,
    has_same_tweets: bool,
) -> list[str]:
    """Return what the user should know before the first step."""
    if config.resume is None or info is None:
        return []
    warnings = []
    if not has_same_tweets:
        warnings.append(
            "The tweets are not those that the run was trained on so far; it begins with their first batch."
        )
    changes = computation_changes(info, result)
    if changes:
        warnings.append(f"Computed otherwise than before, so that the resume is exact to rounding only: {changes}.")
    return warnings


def to_config_content(preparation: Preparation) -> bytes:
    """Return the file of what the run was asked for and what that came to, for people and scripts."""
    settings = {
        "corpus": preparation.training_data.config,
        "model": preparation.model_config,
        "training": preparation.training,
        "sampling": preparation.sampling,
        "device": preparation.runtime.device.type,
        "precision": preparation.runtime.precision,
        "num_threads": preparation.runtime.num_threads,
        "step_path": preparation.trainer.path,
        "resumed_from": preparation.resumed_from,
    }
    return codec.pretty(settings).encode()
