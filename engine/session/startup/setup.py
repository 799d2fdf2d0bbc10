"""From a `RunConfig` to everything that a run needs: tweets read, model built or loaded, folder created.

Whatever the user's files or settings do not allow is found here, before the first step.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import torch

from engine.checkpoints.checkpoint import Checkpoint, load_first_rows
from engine.checkpoints.format import CheckpointInfo, Progress
from engine.compute import device
from engine.compute.clocks import SteadyClock, Stopwatch
from engine.compute.device import Runtime, gpu_problem, restore_generator_states
from engine.compute.gpu_step import supported_precision
from engine.config.fields import with_settings
from engine.config.run import Computation, ModelConfig, RunConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.report import summary_lines
from engine.corpus.training_data import MAX_UNKNOWN_SHARE, TrainingData, corpus_config_of
from engine.errors import CheckpointError
from engine.model.gru import TextGenerator, weights_with_prefix
from engine.protocol.progress import BatchCursor, Stage
from engine.sampling.filter import require_samplable
from engine.session.ranks.connection import Ranks, make_trainer
from engine.session.ranks.leader import config_of_leader, load_for_all, rank_generators
from engine.session.startup.choices import choose_settings
from engine.session.startup.start import WARM_START, Start, continued, find_start
from engine.session.state import RunSetup, RunState, require_unspent_budget
from engine.storage.folders import RunFolder, create_run_folder
from engine.text import counted, sanitize_char
from engine.training.new_model_speeds import new_model_speeds
from engine.training.thread_tuner import ThreadTuner
from engine.training.trainer import Trainer
from engine.training.tuning import initial_runtime

PRECISION_WARNING = "This GPU does not train a model of these sizes in bfloat16; it trains in float32."
_MAX_SHOWN_CHARS = 20


def prepare(
    config: RunConfig,
    resumed: RunFolder | None,
    on_stage: Callable[[Stage], None],
    clock: Callable[[], float],
    *,
    may_be_finished: bool,
    ranks: Ranks | None,
) -> tuple[RunSetup, RunState]:
    """Read, build or load everything; `resumed` is the run to continue, which the caller has locked.

    `on_stage` is called before each part of the work. It may raise, and a failure leaves nothing behind: a new run's
    folder is created last. Raises `TweetgenError`s. A checkpoint whose budget is used up is refused, unless
    the run `may_be_finished` from the start. With `ranks`, the other processes read the tweets at the same time.
    """
    if config.resume or config.checkpoint:
        on_stage(Stage("reading the checkpoint"))
    start = find_start(config, resumed)
    info = start.info
    if ranks is not None:
        config = config_of_leader(config, ranks, info)
    corpus_config = corpus_config_of(config, info.corpus if info else None)
    data = load_for_all(ranks, corpus_config, start.known_vocab, on_stage)
    start = start if data.uses_known_vocab else replace(start, base=None)
    warm_start = () if start.base is None else (WARM_START,)
    stage = Stage("building the model", report=(*summary_lines(data.corpus.report), *warm_start))
    on_stage(stage)
    on_trial = partial(on_stage, replace(stage, text="measuring what is fastest here"))
    state = _build_state(config, start, data, on_trial, clock, ranks, may_be_finished=may_be_finished)
    num_tweets = state.training.eval_tweets
    val_tweets = data.some_validation_tweets(num_tweets)
    early_val_tweets = data.some_validation_tweets(min(num_tweets, state.training.early_eval_tweets))
    on_stage(replace(stage, text="starting the run"))
    warnings = tuple(_warnings(config, info, data, state))
    setup = RunSetup(
        folder=resumed or create_run_folder(config.run_name),
        training_data=data,
        val_tweets=val_tweets,
        early_val_tweets=early_val_tweets,
        start=info,
        resumed_from=start.name,
        is_warm_start=start.base is not None,
        warnings=warnings,
        ranks=ranks,
    )
    return setup, state


def _build_state(
    config: RunConfig,
    start: Start,
    data: TrainingData,
    on_trial: Callable[[], None],
    clock: Callable[[], float],
    ranks: Ranks | None,
    *,
    may_be_finished: bool,
) -> RunState:
    """Choose the settings, build and load the model, and find the position in the data."""
    checkpoint, info, base = start.checkpoint, start.info, start.base
    before = None if info is None else info.computation
    runtime = initial_runtime(config, before, is_shared=ranks is not None)
    speeds = None
    if info is None and ranks is None and not config.is_repeatable:
        speeds = new_model_speeds(config, runtime, data, lambda model: new_model(model, data)[1], on_trial)
        runtime = speeds.runtime
    model_config, training = choose_settings(config, start, data, runtime, speeds)
    runtime = runtime if speeds is None else speeds.runtime_for(model_config)
    sampling = info.sampling if info else SamplingConfig(max_length=data.config.max_length)
    sampling = with_settings(sampling, config.settings)
    sampling.require_satisfiable()
    require_samplable(sampling, data.vocab)
    runtime.apply()
    torch.manual_seed(training.seed)
    if info is None:
        model_config, model = new_model(model_config, data)
        batches = data.batches(training, BatchCursor())
        progress, seconds = Progress(), 0.0
    else:
        model = TextGenerator.from_config(len(data.vocab), model_config)
        position = data.resume_position(info.corpus_digest, info.position)
        batches = data.batches(training, position, info.training)
        progress, seconds = continued(info, data.corpus.digest, is_resumed=config.resume is not None)
        if not may_be_finished:
            require_unspent_budget(training, info.step, batches.epochs, seconds)
    model = model.to(runtime.device)
    if base:
        load_first_rows(model, weights_with_prefix(base.tensors, "model."))
    runtime = replace(runtime, precision=supported_precision(model, training.batch_size, runtime.precision))
    trainer = make_trainer(model, training, runtime, ranks)
    if checkpoint:
        load_into(trainer, checkpoint.grown_to(data.vocab, training.seed), runtime)
    some_batches = partial(data.some_batches, training.batch_size)
    return RunState(
        trainer=trainer,
        runtime=runtime,
        thread_tuner=ThreadTuner.for_run(config, before, runtime, some_batches),
        model_config=model_config,
        training=training,
        sampling=sampling,
        batches=batches,
        progress=progress,
        rank_generators={} if checkpoint is None else rank_generators(checkpoint, runtime.device.type),
        stopwatch=Stopwatch(SteadyClock(clock), offset=seconds),
    )


def new_model(config: ModelConfig, data: TrainingData) -> tuple[ModelConfig, TextGenerator]:
    """Return a model on the CPU with initial weights, and its settings with the number of frequent contexts."""
    contexts = data.frequent_contexts(config.ngram_order, config.hidden_size)
    config = replace(config, ngram_contexts=len(contexts))
    model = TextGenerator.from_config(len(data.vocab), config)
    if model.ngram_input is not None:
        model.ngram_input.contexts.copy_(torch.from_numpy(contexts))
    return config, model


def load_into(trainer: Trainer, checkpoint: Checkpoint, runtime: Runtime) -> None:
    """Restore weights, optimizer and global generators of a checkpoint. Raises `CheckpointError`."""
    try:
        trainer.load_state(checkpoint.tensors, checkpoint.info.step)
        states = {
            name.removeprefix("generator."): tensor
            for name, tensor in checkpoint.tensors.items()
            if name.startswith("generator.")
        }
        restore_generator_states(states, runtime.device)
    except (KeyError, RuntimeError) as error:
        raise CheckpointError("The checkpoint's tensors do not fit the model that it describes.") from error


def _warnings(config: RunConfig, info: CheckpointInfo | None, data: TrainingData, state: RunState) -> Iterator[str]:
    """Yield what the user should know before the first step; `info` is the checkpoint that the run continues from."""
    corpus = data.corpus
    if info is None:
        yield from corpus.report.doubts
    elif added := data.vocab.chars[len(info.vocab) :]:
        shown = " ".join(map(_shown_char, added[:_MAX_SHOWN_CHARS]))
        more = len(added) - _MAX_SHOWN_CHARS
        rest = f" and {more:,} more" if more > 0 else ""
        yield f"The vocabulary grew by {counted(len(added), 'character')}: {shown}{rest}."
    if data.foreign_share:
        found, most = (f"{100 * share:.1f} %" for share in (data.foreign_share, MAX_UNKNOWN_SHARE))
        lacking = f"the shipped model lacks {found} of the characters of these tweets, more than {most}"
        yield f"The run starts from random weights: {lacking}."
    if info is None and config.settings.get("ngram_order") and not state.model_config.ngram_contexts:
        yield "No sequence of characters occurs often enough in these tweets: --ngram-order has no effect."
    yield from _device_warnings(config, info, data, state)
    if info is None or config.resume is None:
        return
    if info.has_finished:
        yield "The run had finished; it continues at its learning rate."
    if info.corpus_digest != corpus.digest:
        yield "The tweets are not those that the run was trained on so far; it starts with their first batch."
    changes = _computation_changes(info.computation, state.runtime.computation(data.part.world_size))
    if changes:
        yield f"The computation differs, so that the resume is exact to rounding only: {changes}."


def _computation_changes(before: Computation, now: Computation) -> str:
    """Return how the steps are computed differently from those before a checkpoint, in words; "" if they are not."""
    changes = [
        f"{new} in place of {old}"
        for new, old in ((now.device, before.device), (now.precision, before.precision))
        if new != old
    ]
    if before.world_size != now.world_size:
        processes = "1 process" if now.world_size == 1 else f"{now.world_size} processes"
        changes.append(f"{processes} in place of {before.world_size}")
    if now.device == before.device == "cpu" and now.num_threads != before.num_threads:
        changes.append(f"{counted(now.num_threads, 'thread')} in place of {before.num_threads}")
        if before.num_threads > device.available_cores():
            changes[-1] += f" (the machine has {device.available_cores()} cores)"
    return ", ".join(changes)


def _device_warnings(
    config: RunConfig, info: CheckpointInfo | None, data: TrainingData, state: RunState
) -> Iterator[str]:
    """Yield what is not as expected of the device: a GPU that is not used, not in bfloat16, or computes wrongly."""
    runtime = state.runtime
    if config.runtime.device == "auto" and runtime.device.type == "cpu" and (gpu := gpu_problem()):
        yield f"A GPU is there, but torch can't use it, so the CPU trains: {gpu}"
    before = None if info is None else info.computation
    if runtime.device.type != "cpu" and runtime.precision != initial_runtime(config, before).precision:
        yield PRECISION_WARNING
    if problem := state.trainer.first_loss_problem(data.train_tweets):
        yield problem


def _shown_char(char: str) -> str:
    """Return a character that is visible by itself, else its code point."""
    is_visible = unicodedata.category(char)[0] in "LNPS"
    return char if is_visible and sanitize_char(char) == char else f"U+{ord(char):04X}"
