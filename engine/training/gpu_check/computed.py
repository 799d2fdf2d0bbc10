"""The checks of what a device computes: losses, evaluations, probabilities, and a resumed training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from engine.compute.device import generator_states, restore_generator_states
from engine.compute.gpu_step import are_those_of, bucket_length, resident_tweets, supported_precision
from engine.compute.stepper import CharStepper, char_graph_of, discard_char_graph
from engine.corpus.arrays import EncodedTweets
from engine.training.evaluation import evaluate
from engine.training.gpu_check.trial import (
    NUM_STEPS,
    SAME_LOSSES,
    Finding,
    GpuTrial,
    NotApplicableError,
    copy_of_state,
    difference,
    not_recorded,
)
from engine.training.trainer import Trainer

FIRST_LOSS, LOSSES, BFLOAT16_LOSSES = 1e-3, 1e-2, 0.03
"""Largest relative differences of the first loss and of all from the CPU's; in bfloat16, from those in float32."""
SAME_BFLOAT16_LOSSES = 1e-3
"""`SAME_LOSSES` in bfloat16: of weights that are rounded a step too late, losses differ by more."""
EVALUATION, LOG_PROBABILITIES = 1e-5, 1e-3
"""Largest relative difference of an evaluation, and largest difference of a log-probability in nats, from the CPU's."""
_RESUMED_DROPOUT = 0.3
_NUM_TWEETS, _NUM_CHARS = 200, 50
"""Tweets that are evaluated, characters that are read one by one."""


def check_versions(trial: GpuTrial) -> Finding:
    """Check that a tensor can be made on the device and is summed exactly; the figure names the versions."""
    count, facts = 1_000_000, trial.gpu.facts()
    total = int(torch.arange(count, device=trial.device).sum())
    if total != count * (count - 1) // 2:
        return Finding(f"the sum of {count:,} whole numbers is {total:,}", {**facts}, is_right=False)
    named = (value if name == "gpu" else f"{name} {value}" for name, value in facts.items())
    return Finding(", ".join(named), {**facts}, is_right=True)


def check_float32(trial: GpuTrial) -> Finding:
    """Check that the device has the tweets of the CPU, and has its losses, eagerly and recorded."""
    on_cpu = trial.losses(trial.trainer_of(trial.new_model()), trial.steps)
    eager = trial.eager_losses(trial.steps)
    first, worst = difference(eager[:1], on_cpu[:1]), difference(eager, on_cpu)
    numbers: dict[str, Any] = {"cpu_losses": on_cpu, "eager_losses": eager, "first": first, "worst": worst}
    resident = resident_tweets(trial.tweets, trial.device)
    for batch in trial.steps:
        rows = torch.from_numpy(batch.rows).to(trial.device)
        if not are_those_of(resident.gather(rows, bucket_length(batch.total_columns)), batch):
            return Finding("the device has other tweets in its memory than the CPU", numbers, is_right=False)
    figure = f"{worst:.1e} from the CPU's losses, {first:.1e} at first"
    found = Finding(figure, numbers, is_right=first <= FIRST_LOSS and worst <= LOSSES)
    return _with_recorded(trial, trial.new_trainer(), found, eager, SAME_LOSSES)


def check_bfloat16(trial: GpuTrial) -> Finding:
    """Check that the device's losses in bfloat16 are about its losses in float32, eagerly and recorded."""
    if not trial.gpu.has_bfloat16:
        raise NotApplicableError("no run uses bfloat16 on this GPU")
    model = trial.gpu.moved(trial.new_model())
    if supported_precision(model, trial.sizes.batch_size, "bfloat16") != "bfloat16":
        raise NotApplicableError("cuDNN has no bfloat16 for a model of these sizes on this GPU")
    exact, eager = trial.eager_losses(trial.steps), trial.eager_losses(trial.steps, "bfloat16")
    worst = difference(eager, exact)
    numbers: dict[str, Any] = {"float32_losses": exact, "eager_losses": eager, "worst": worst}
    found = Finding(f"{worst:.1e} from the losses in float32", numbers, is_right=worst <= BFLOAT16_LOSSES)
    return _with_recorded(trial, trial.new_trainer(precision="bfloat16"), found, eager, SAME_BFLOAT16_LOSSES)


def _with_recorded(
    trial: GpuTrial, trainer: Trainer, eager: Finding, expected: Sequence[float], limit: float
) -> Finding:
    """Add to what was found of eager steps how recorded ones differ from the expected losses."""
    if not trial.gpu.has_graphs:
        return eager
    losses = trial.losses(trainer, trial.steps)
    worst, num_graphs = difference(losses, expected), trainer.num_graphs
    numbers = eager.numbers | {"recorded_losses": losses, "recorded": worst, "num_graphs": num_graphs}
    if not num_graphs:
        return not_recorded("step", numbers)
    figure = f"{eager.figure}; recorded {worst:.1e}, CUDA graphs: {num_graphs}"
    return Finding(figure, numbers, is_right=eager.is_right and worst <= limit)


@torch.no_grad()
def check_evaluation(trial: GpuTrial) -> Finding:
    """Check the cost of tweets, and the probabilities along a text, one character at a time, against the CPU's."""
    model, tweets = trial.new_model(), trial.tweets
    for weight in model.parameters():
        weight.mul_(2)  # as large as those of a trained model, so that the state matters
    on_device = trial.gpu.moved(model)
    num_tweets = min(_NUM_TWEETS, len(tweets))
    some = EncodedTweets(tweets.token_ids[: tweets.offsets[num_tweets]], tweets.offsets[: num_tweets + 1])
    cost = difference([evaluate(on_device, some).total_nats], [evaluate(model, some).total_nats])
    chars = tweets.token_ids[:_NUM_CHARS, np.newaxis].astype(np.int64)
    expected, found = CharStepper(model), CharStepper(on_device)
    worst = float(max(np.abs(found.step(char) - expected.step(char)).max() for char in chars))
    figure = f"bits per character {cost:.1e} from the CPU's, log-probabilities {worst:.1e}"
    numbers = {"evaluation": cost, "log_probabilities": worst}
    if trial.gpu.has_graphs:
        is_recorded = char_graph_of(on_device, found.weights).steps.num_recorded > 0
        discard_char_graph(on_device.device)
        if not is_recorded:
            return not_recorded("character", numbers)
    return Finding(figure, numbers, is_right=cost <= EVALUATION and worst <= LOG_PROBABILITIES)


def check_resume(trial: GpuTrial) -> Finding:
    """Check that a trainer which loads the state of another one continues as that does, with dropout.

    Bit for bit on CUDA, eagerly and recorded; of MPS no kernel is known to compute the same bits twice.
    """
    numbers: dict[str, Any] = {}
    ways, is_exact = {"eager": False}, trial.gpu.has_graphs
    if trial.gpu.has_graphs:
        ways["recorded"] = True
    half, limit, is_right = NUM_STEPS // 2, 0.0 if is_exact else SAME_LOSSES, True
    for way, may_record in ways.items():
        whole, resumed = (trial.new_trainer(dropout=_RESUMED_DROPOUT, may_record=may_record) for _ in range(2))
        trial.losses(whole, trial.steps[:half])
        state, generators = copy_of_state(whole), generator_states(trial.device)
        expected = trial.losses(whole, trial.steps[half:])
        resumed.load_state(state, half)
        restore_generator_states(generators, trial.device)
        found = trial.losses(resumed, trial.steps[half:])
        if may_record and not resumed.num_graphs:
            return not_recorded("step", numbers)
        worst = difference(found, expected)
        of_weights = float((resumed.flat.weights - whole.flat.weights).abs().max())
        numbers[way] = {"losses": expected, "resumed_losses": found, "worst": worst, "weights": of_weights}
        is_right &= worst <= limit and (of_weights == 0 or not is_exact)
    if is_right and is_exact:
        return Finding(f"{half} steps after a resume are equal bit for bit: {', '.join(ways)}", numbers, is_right=True)
    differing = "; ".join(f"{way} {of['worst']:.1e}, weights {of['weights']:.1e}" for way, of in numbers.items())
    return Finding(f"{half} steps after a resume differ by: {differing}", numbers, is_right=is_right)
