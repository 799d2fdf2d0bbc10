"""The checks of steps that are recorded as CUDA graphs: what a replay reads, waits for and allocates; and failures.

The two that make memory run out and a recording fail may leave torch's allocator unusable: they come last.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any

import torch

from engine.compute.cuda_graphs import WARM_UP_VISITS, new_failures
from engine.compute.device import generator_states, restore_generator_states, wait_for
from engine.compute.memory import CUDA_ALLOCATOR, free_memory
from engine.corpus.arrays import CorpusBatch
from engine.corpus.batches import BatchStream
from engine.protocol.progress import BatchCursor
from engine.training.gpu_check.trial import (
    SAME_LOSSES,
    Finding,
    GpuTrial,
    copy_of_state,
    difference,
    not_recorded,
    put_back,
)
from engine.training.out_of_memory import OutOfMemoryRetry
from engine.training.trainer import Trainer

IN_PARTS = 1e-3
"""Largest relative difference between losses of steps computed in parts and of whole ones."""
OTHER_MASKS = 0.05
"""Largest relative difference between losses with dropout, where a failed recording may have drawn masks."""
MEBIBYTE = 2**20
MAX_LEFT = 64 * MEBIBYTE
"""Bytes that a failed recording may leave behind."""
_MANY = WARM_UP_VISITS + 1
"""Steps on batches of one length, the last of which is a replay."""
_DROPOUT = 0.1
_NUM_FIRST, _NUM_TRIED = 10, 4


def check_learning_rate(trial: GpuTrial) -> Finding:
    """Check that a recorded step uses the learning rate of its call: with 0 it changes no weight."""
    trial.require_graphs()
    trainer = trial.new_trainer()
    trial.losses(trainer, [trial.batch] * _MANY)
    before = trainer.flat.weights.clone()
    trainer.step(trial.batch, 0.0)
    is_still = torch.equal(trainer.flat.weights, before)
    trainer.step(trial.batch, trial.training.learning_rate)
    does_move = not torch.equal(trainer.flat.weights, before)
    if not trainer.num_graphs:
        return not_recorded("step", {})
    at_zero, later = "no weight" if is_still else "weights", "weights" if does_move else "no weight"
    figure = f"a replay at rate 0 changes {at_zero}, the next one at another rate {later}"
    return Finding(figure, is_right=is_still and does_move)


def check_dropout(trial: GpuTrial) -> Finding:
    """Check that replays draw different masks, and the same ones from the same state of the generator."""
    trial.require_graphs()
    trainer = trial.new_trainer(dropout=0.5)
    trial.losses(trainer, [trial.batch] * _MANY)
    state, generators = copy_of_state(trainer), generator_states(trial.device)
    [first] = trial.losses(trainer, [trial.batch])
    put_back(trainer, state)
    [second] = trial.losses(trainer, [trial.batch])
    put_back(trainer, state)
    restore_generator_states(generators, trial.device)
    [again] = trial.losses(trainer, [trial.batch])
    if not trainer.num_graphs:
        return not_recorded("step", {})
    masks = "differ" if first != second else "are the same"
    repeated = "repeat" if again == first else "do not repeat"
    figure = f"masks of two replays {masks}, and {repeated} with the generator's state"
    return Finding(figure, {"losses": [first, second, again]}, is_right=first != second and again == first)


def check_lengths(trial: GpuTrial) -> Finding:
    """Check that graphs of several lengths, which share a pool of memory, do not overwrite each other."""
    trial.require_graphs()
    batches = [*trial.lengths * _MANY, *reversed(trial.lengths)]
    expected, trainer = trial.eager_losses(batches), trial.new_trainer()
    found = trial.losses(trainer, batches)
    worst, num_graphs = difference(found, expected), trainer.num_graphs or 0
    numbers = {"recorded_losses": found, "eager_losses": expected, "worst": worst, "num_graphs": num_graphs}
    if not num_graphs:
        return not_recorded("step", numbers)
    if num_graphs < len(trial.lengths):
        figure = f"{num_graphs} of {len(trial.lengths)} lengths were recorded"
        return Finding(figure, numbers, is_right=False)
    return Finding(f"{num_graphs} lengths in turn {worst:.1e} from eager steps", numbers, is_right=worst <= SAME_LOSSES)


def check_waiting(trial: GpuTrial) -> Finding:
    """Check that no recorded step reads a value or waits for a stream; the figure is the time of a step."""
    trial.require_graphs()
    eager, recorded = (trial.new_trainer(dropout=_DROPOUT, may_record=may) for may in (False, True))
    batches = list(islice(cycle(trial.lengths), trial.sizes.num_timed))
    for trainer in (eager, recorded):
        trial.losses(trainer, trial.lengths * _MANY)
    eager_ms = _milliseconds(trial, eager, batches)
    with trial.gpu.waits_forbidden():
        recorded_ms = _milliseconds(trial, recorded, batches)
    numbers = {"eager_ms": eager_ms, "recorded_ms": recorded_ms, "num_graphs": recorded.num_graphs}
    if not recorded.num_graphs:
        return not_recorded("step", numbers)
    ratio = f"{eager_ms / recorded_ms:.1f} x"
    figure = f"{len(batches)} steps read nothing back; {recorded_ms:.2f} ms each, eager {eager_ms:.2f} ms ({ratio})"
    return Finding(f"{figure}, CUDA graphs: {recorded.num_graphs}", numbers, is_right=True)


def _milliseconds(trial: GpuTrial, trainer: Trainer, batches: list[CorpusBatch]) -> float:
    """Return the milliseconds that a step takes until the device is done; reads no loss."""
    wait_for(trial.device)
    began = time.perf_counter()
    for batch in batches:
        trainer.step(batch, trial.training.learning_rate)
    wait_for(trial.device)
    return 1000 * (time.perf_counter() - began) / len(batches)


def check_memory(trial: GpuTrial) -> Finding:
    """Check that many recorded steps need no more memory than the first ones."""
    trial.require_graphs()
    trainer, many = trial.new_trainer(), trial.sizes.num_repeated
    trial.losses(trainer, trial.lengths * _MANY)
    trial.losses(trainer, islice(cycle(trial.lengths), _NUM_FIRST))
    gc.collect()
    before = trial.gpu.bytes_in_use()
    trial.losses(trainer, islice(cycle(trial.lengths), many - _NUM_FIRST))
    gc.collect()
    after = trial.gpu.bytes_in_use()
    numbers = {"bytes_after_10_steps": before, "bytes_after_all_steps": after, "num_graphs": trainer.num_graphs}
    if not trainer.num_graphs:
        return not_recorded("step", numbers)
    allocated, reserved = (f"{each / MEBIBYTE:,.1f} MiB" for each in after)
    figure = f"after {many} steps {allocated} in use, {reserved} reserved"
    more_allocated, more_reserved = after[0] - before[0], after[1] - before[1]
    figure += f"; since step {_NUM_FIRST} {more_allocated:+,} and {more_reserved:+,} bytes"
    return Finding(figure, numbers, is_right=more_allocated <= 0 and more_reserved <= 0)


@dataclass
class _Tight:
    """What `OutOfMemoryRetry` trains, and its warnings."""

    trainer: Trainer
    batches: BatchStream
    warnings: list[str] = field(default_factory=list)


def check_out_of_memory(trial: GpuTrial) -> Finding:
    """Check that a batch for which memory runs out is computed in parts, with the losses of the whole batch."""
    trial.require_graphs()
    large = trial.tweets.batch(trial.lengths[-1].rows.repeat(trial.sizes.num_joined))
    whole, rate = trial.new_trainer(may_record=False), trial.training.learning_rate
    stream = BatchStream(trial.tweets, trial.sizes.batch_size, seed=0, position=BatchCursor())
    tight = _Tight(trial.new_trainer(), stream)
    retry, expected = OutOfMemoryRetry(tight, tight.warnings.append), list[float]()
    with trial.gpu.half_of_the_memory_for(lambda: expected.extend(trial.losses(whole, [large]))):
        for _ in range(_NUM_TRIED):
            retry.take_step(large, rate)
        found = tight.trainer.drain_report().train_losses
    expected += trial.losses(whole, [large] * (_NUM_TRIED - 1))
    size, worst = tight.trainer.micro_batch_size, difference(found, expected)
    numbers = {"losses": found, "whole_losses": expected, "worst": worst, "micro_batch_size": size}
    if size is None:
        return Finding("memory did not run out with half of what a step needs", numbers, is_right=False)
    figure = f"{large.num_tweets} tweets computed up to {size} at once, {worst:.1e} from the losses of all at once"
    return Finding(figure, numbers, is_right=worst <= IN_PARTS)


def check_failed_recording(trial: GpuTrial) -> Finding:
    """Check that after a recording that has failed, training goes on eagerly, and its memory is freed.

    Without dropout, and with it: then a generator of random numbers takes part in the recording.
    """
    trial.require_graphs()
    batches, numbers, is_right = [trial.batch] * (2 * _MANY), dict[str, Any](), True
    for dropout, limit in ((0.0, SAME_LOSSES), (_DROPOUT, OTHER_MASKS)):
        expected = trial.losses(trial.new_trainer(dropout=dropout, may_record=False), batches)
        gc.collect()
        free_memory(trial.device)
        before = trial.gpu.bytes_in_use()
        model = trial.gpu.moved(trial.new_model(dropout))
        trial.gpu.let_recordings_fail(model)
        trainer = trial.trainer_of(model)
        found, num_graphs, failures = trial.losses(trainer, batches), trainer.num_graphs, new_failures(set())
        trainer.free_memory()
        del model, trainer
        gc.collect()
        free_memory(trial.device)
        left = [after - first for after, first in zip(trial.gpu.bytes_in_use(), before, strict=True)]
        worst = difference(found, expected)
        numbers[f"dropout {dropout:g}"] = {
            "losses": found,
            "eager_losses": expected,
            "worst": worst,
            "bytes_left": left,
            "is_sound": CUDA_ALLOCATOR.is_sound,
            "failures": failures,
        }
        if num_graphs or not failures:
            return Finding("a step that reads a value was recorded", numbers, is_right=False)
        is_right &= worst <= limit and max(left) <= MAX_LEFT
    differences = ", with dropout ".join(f"{of['worst']:.1e}" for of in numbers.values())
    most_left = max(max(of["bytes_left"]) for of in numbers.values()) / MEBIBYTE
    figure = f"steps go on eagerly, {differences} from eager ones; {most_left:,.1f} MiB not freed"
    return Finding(figure, numbers, is_right=is_right)
