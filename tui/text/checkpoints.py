"""A checkpoint's metadata as text: for the list's detail, for a comparison of two, and for the command line. Pure.

The texts are safe to print: a checkpoint may come from anybody.

The rows of the checkpoint list: groups, filter, sort order, and the text of each cell. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Literal, get_args

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.format import CheckpointInfo
from engine.config.run import Computation, ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.report import counted
from engine.model.vocab import SPECIALS
from engine.text import sanitize_in_place, sanitize_line
from tui.text.numbers import (
    LossUnit,
    format_bits,
    format_count,
    format_duration,
    format_loss,
    format_short,
    format_size,
    unit_label,
)
from tui.text.tweets import SETTING_LABELS, format_setting, format_value

_NOT_EVALUATED = "not evaluated yet"
_TRAIN = "train (last step)"
"""The train loss that a checkpoint contains; the screen of a run shows the smoothed one."""
_IN_MAIN_FIELDS = {
    *("embedding_size", "hidden_size", "num_layers", "dropout", "tied_embeddings", "ngram_order", "ngram_contexts"),
    *("batch_size", "learning_rate", "schedule", "preset_reason"),
}
"""Settings that a comparison shows under another name, or not at all."""


@dataclass(frozen=True)
class ComparedField:
    """One field of two checkpoints, side by side."""

    name: str
    left: str
    right: str

    @property
    def differs(self) -> bool:
        """Whether the values are unequal."""
        return self.left != self.right


def description(info: CheckpointInfo) -> list[tuple[str, str]]:
    """Return all metadata as names and values."""
    training = info.training
    facts = [
        ("run", info.run),
        ("step", f"{info.step:,} (epoch {info.position.epoch}; next batch {info.position.batch:,})"),
        ("trained for", f"{format_duration(info.elapsed_seconds)}, {info.progress.total_chars:,} characters"),
        ("validation bits/char", bits_of(info)),
        ("corpus", info.corpus_name),
        ("vocabulary", f"{len(info.vocab)} characters"),
        ("model", model_text(info.model)),
        ("preset", ": ".join(filter(None, (training.preset, training.preset_reason)))),
        ("training", f"batch {training.batch_size}, learning rate {training.learning_rate:g}, {training.schedule}"),
        ("device", _computation_text(info.computation)),
        ("versions", ", ".join(f"{name} {version}" for name, version in info.versions.items())),
    ]
    return [(name, sanitize_line(value)) for name, value in facts]


def detail_lines(entry: CheckpointEntry, unit: LossUnit) -> list[str]:
    """Return a few lines with what the row of the table lacks, losses in `unit`."""
    saved = datetime.fromtimestamp(entry.saved_at).astimezone().strftime("%d %b %Y %H:%M")
    lines = [f"saved {saved}, {format_size(entry.num_bytes)}"]
    if entry.is_pinned:
        lines[0] += ", pinned"
    if entry.info is None:
        return lines
    info, training = entry.info, entry.info.training
    losses = [f"{name} {loss}" for name, loss in _losses(info, unit) if loss]
    settings = f"batch {training.batch_size}, learning rate {training.learning_rate:g}, {training.schedule}"
    facts = [
        f"from the run {info.run}, step {info.step:,}, on {info.corpus_name}",
        f"{model_text(info.model)}; {format_short(num_parameters(info))} parameters, {len(info.vocab)} characters",
        f"{training.preset}: {settings}; trained for {format_duration(info.elapsed_seconds)}",
        *([f"{unit_label(unit)}: {', '.join(losses)}"] if losses else []),
        *lines,
    ]
    return list(map(sanitize_line, facts))


def num_parameters(info: CheckpointInfo) -> int:
    """Return the number of the model's parameters."""
    return info.model.num_parameters(len(info.vocab) + len(SPECIALS))


def comparison(left: CheckpointInfo, right: CheckpointInfo, unit: LossUnit) -> list[ComparedField]:
    """Return the main fields of two checkpoints, losses in `unit`, then every other setting that differs."""
    usual = zip(_compared(left, unit), _compared(right, unit), strict=True)
    return [*(ComparedField(name, one, other) for (name, one), (_, other) in usual), *_other_settings(left, right)]


def _compared(info: CheckpointInfo, unit: LossUnit) -> Iterator[tuple[str, str]]:
    """Yield the fields that every comparison shows."""
    yield "step", f"{info.step:,}"
    for name, loss in _losses(info, unit):
        yield f"{name} {unit_label(unit)}", loss or ("–" if name == _TRAIN else _NOT_EVALUATED)
    yield "trained for", format_duration(info.elapsed_seconds)
    yield "run", sanitize_line(info.run)
    yield (
        "corpus",
        sanitize_line(info.corpus_name) + ("" if info.corpus.overfit is None else f", {info.corpus.overfit} of it"),
    )
    yield "vocabulary", f"{len(info.vocab)} characters"
    yield "model", model_text(info.model)
    yield "parameters", f"{num_parameters(info):,}"
    yield "batch size", f"{info.training.batch_size}"
    yield "learning rate", f"{info.training.learning_rate:g}, {info.training.schedule}"
    yield "device", sanitize_line(_computation_text(info.computation))


def _other_settings(left: CheckpointInfo, right: CheckpointInfo) -> Iterator[ComparedField]:
    """Yield the settings that differ and are not among the main fields."""
    if left.vocab != right.vocab:
        yield ComparedField(
            "only in its vocabulary", _only_in(left.vocab, right.vocab), _only_in(right.vocab, left.vocab)
        )
    configs = (left.model, right.model), (left.training, right.training), (left.sampling, right.sampling)
    for one, other in configs:
        for each in fields(one):
            name = each.name
            if getattr(one, name) != getattr(other, name) and name not in _IN_MAIN_FIELDS:
                shown = (sanitize_line(_setting_text(name, config)) for config in (one, other))
                yield ComparedField(SETTING_LABELS.get(name, name.replace("_", " ")), *shown)


def _setting_text(name: str, config: ModelConfig | TrainingConfig | SamplingConfig) -> str:
    """Return the value of a setting."""
    value = getattr(config, name)
    return format_setting(name, value) if isinstance(config, SamplingConfig) else format_value(value)


def _only_in(vocab: tuple[str, ...], other: tuple[str, ...]) -> str:
    """Return the characters that only the first vocabulary has."""
    return sanitize_in_place("".join(sorted(set(vocab) - set(other)))) or "none"


def _losses(info: CheckpointInfo, unit: LossUnit) -> list[tuple[str, str]]:
    """Return name and text of the losses, with the step of an earlier evaluation; missing ones are empty."""
    train = "" if info.progress.train_loss is None else format_loss(info.progress.train_loss, unit)
    return [(_TRAIN, train), ("validation", "" if info.progress.bits_per_char is None else _validation(info, unit))]


def bits_of(info: CheckpointInfo) -> str:
    """Return the bits per character: "1.78", or "1.78 @2,500" if evaluated at an earlier step."""
    return _NOT_EVALUATED if info.progress.bits_per_char is None else _validation(info, "bits")


def _validation(info: CheckpointInfo, unit: LossUnit) -> str:
    """Return the validation loss, which there must be, and the step of its evaluation if that is an earlier one."""
    return format_bits(info.progress.bits_per_char or 0.0, unit) + _evaluated_at(info)


def _evaluated_at(info: CheckpointInfo) -> str:
    """Return the step of the last evaluation, as " @2,500", if that is before the checkpoint's step."""
    return f" @{info.progress.last_eval_step:,}" if info.is_evaluation_stale else ""


def _computation_text(computation: Computation) -> str:
    """Return device, precision and threads: "cpu, float32, 2 threads"."""
    return f"{computation.device}, {computation.precision}, {counted(computation.num_threads, 'thread')}"


def model_text(model: ModelConfig) -> str:
    """Return the architecture: "GRU 2 x 256, embedding 96, dropout 0.1, tied, 11,937 n-gram embeddings"."""
    tied = ", tied" if model.tied_embeddings else ""
    ngrams = f", {model.ngram_contexts:,} n-gram embeddings" if model.ngram_contexts else ""
    return (
        f"GRU {model.num_layers} x {model.hidden_size}, embedding {model.embedding_size}, "
        f"dropout {model.dropout:g}{tied}{ngrams}"
    )


Order = Literal["name", "step", "loss", "size", "age"]
"""The columns of the table, in their order; each can be sorted by."""
ORDERS: tuple[Order, ...] = get_args(Order)
UNTRAINED = "untrained"
"""The word by which a filter finds the checkpoints that are otherwise hidden."""
_AGES = ((86_400 * 365.25, "y"), (86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MIN_UNITS = 2
"""A unit is used from this many on: "90 min" is more precise than "1 h"."""


@dataclass(frozen=True)
class CheckpointGroup:
    """Checkpoints under a heading."""

    heading: str
    entries: tuple[CheckpointEntry, ...]
    run: str = ""
    """The run that saved all of them, whose name their rows omit; empty for several runs."""


def grouped(
    entries: Iterable[CheckpointEntry], run: str | None, order: Order, typed: str = ""
) -> list[CheckpointGroup]:
    """Return those saved by name, those of the current `run`, and those of other runs; no empty group.

    A group has the entries that contain every typed word in name, run or corpus, pinned ones first. Without a typed
    word, those of step 0 that a run saved by itself are left out. The highest step and the largest come first; by loss,
    the lowest, then those evaluated at an earlier step, then those never evaluated.
    """
    groups: dict[str, list[CheckpointEntry]] = {"named": [], "own": [], "other": []}
    words = typed.casefold().split()
    for entry in entries:
        if all(word in _searched_text(entry) for word in words) and (words or not is_untrained(entry)):
            groups["named" if entry.is_named else "own" if _run_of(entry) == run else "other"].append(entry)
    headings = {"named": "saved by name", "own": f"this run, {run}", "other": "other runs"}
    return [
        CheckpointGroup(
            headings[kind],
            tuple(
                sorted(found, key=lambda each: (not each.is_pinned, *_sort_key(each, order), _natural_key(each.name)))
            ),
            run or "" if kind == "own" else "",
        )
        for kind, found in groups.items()
        if found
    ]


def is_untrained(entry: CheckpointEntry) -> bool:
    """Return whether a run saved the entry at step 0, and the user did not pin it."""
    return entry.step == 0 and not entry.is_named and not entry.is_pinned


def _run_of(entry: CheckpointEntry) -> str:
    return entry.name.rpartition("/")[0]


def _searched_text(entry: CheckpointEntry) -> str:
    """Return the text that a filter searches."""
    texts = [entry.name, *([entry.info.run, entry.info.corpus_name] if entry.info else [])]
    return " ".join([*texts, *([UNTRAINED] if is_untrained(entry) else [])]).casefold()


def _sort_key(entry: CheckpointEntry, order: Order) -> tuple[float, ...]:
    """Return the sort key; ties are broken by name."""
    match order:
        case "age":
            return (-entry.saved_at,)
        case "size":
            return (-entry.num_bytes,)
        case "step":
            return (1.0 if entry.step is None else -entry.step,)
        case "loss":
            is_old = entry.info is not None and entry.info.is_evaluation_stale
            return (float("inf"),) if entry.bits_per_char is None else (float(is_old), entry.bits_per_char)
        case "name":
            return ()


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Return a key for natural sort order: step-9 before step-10."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


def format_age(seconds: float) -> str:
    """Return an age: "now", "20 s", "3 min", "5 h", "12 d", "3 y"."""
    for size, unit in _AGES:
        if seconds >= _MIN_UNITS * size:
            return f"{seconds / size:.0f} {unit}"
    return "now"


def evaluated_at(entry: CheckpointEntry) -> str:
    """Return the step of the last evaluation, as " @2.5k", if that is before the step of the entry."""
    info = entry.info
    return f" @{format_short(info.progress.last_eval_step)}" if info is not None and info.is_evaluation_stale else ""


def cells_of(
    entry: CheckpointEntry, now: float, unit: LossUnit, *, run: str = "", at_width: int = 0
) -> tuple[str, str, str, str, str]:
    """Return name, step, validation loss in `unit`, size and age as text.

    The name is without that of its `run`; the loss ends with `evaluated_at` in at least `at_width` cells, so that the
    digits of a column are aligned.
    """
    loss = "–" if entry.bits_per_char is None else format_bits(entry.bits_per_char, unit)
    return (
        sanitize_line(entry.name.removeprefix(f"{run}/") if run else entry.name, 200),
        "damaged" if entry.problem else "–" if entry.step is None else format_count(entry.step),
        loss + evaluated_at(entry).ljust(at_width),
        format_size(entry.num_bytes),
        format_age(now - entry.saved_at),
    )
