"""A checkpoint as text: its facts, a comparison of two, and the rows of the list in groups. Pure.

The texts are safe to print: a checkpoint may come from anybody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from typing import Literal, get_args

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.format import CheckpointInfo
from engine.config.run import ModelConfig
from engine.model.vocab import SPECIALS
from engine.text import counted, sanitize_in_place, sanitize_line
from tui.text.cells import UNKNOWN
from tui.text.numbers import (
    LossUnit,
    format_bits,
    format_duration,
    format_loss,
    format_short,
    format_size,
    unit_label,
)
from tui.text.tweets import SETTING_LABELS, format_setting, format_value

Order = Literal["name", "step", "loss", "size", "age"]
"""The columns of the table, in their order; each can be sorted by."""
ORDERS: tuple[Order, ...] = get_args(Order)
UNTRAINED = "untrained"
"""The word by which a filter finds the checkpoints that are otherwise hidden."""
_NOT_EVALUATED = "not evaluated yet"
_TRAIN = "train (last step)"
"""The train loss that a checkpoint contains; the screen of a run shows the smoothed one."""
_IN_MAIN_FIELDS = {
    *("embedding_size", "hidden_size", "num_layers", "dropout", "tied_embeddings", "ngram_order", "ngram_contexts"),
    *("batch_size", "learning_rate", "schedule", "preset_reason"),
}
"""Settings that a comparison shows under another name, or not at all."""
_AGES = ((86_400 * 365.25, "y"), (86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_MIN_UNITS = 2
"""A unit is used from this many on: "90 min" is more precise than "1 h"."""


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


def _facts(info: CheckpointInfo, unit: LossUnit) -> dict[str, str]:
    """Return the fields that every comparison shows."""
    overfit = "" if info.corpus.overfit is None else f", {info.corpus.overfit} of it"
    losses, computation = _losses(info, unit), info.computation
    threads = counted(computation.num_threads, "thread")
    return {
        "step": f"{info.step:,}",
        f"{_TRAIN} {unit_label(unit)}": losses[_TRAIN] or UNKNOWN,
        f"validation {unit_label(unit)}": losses["validation"] or _NOT_EVALUATED,
        "trained for": format_duration(info.elapsed_seconds),
        "run": sanitize_line(info.run),
        "corpus": sanitize_line(info.corpus_name) + overfit,
        "vocabulary": f"{len(info.vocab)} characters",
        "model": model_text(info.model),
        "parameters": f"{num_parameters(info):,}",
        "batch size": f"{info.training.batch_size}",
        "learning rate": f"{info.training.learning_rate:g}, {info.training.schedule}",
        "device": sanitize_line(f"{computation.device}, {computation.precision}, {threads}"),
    }


def description(info: CheckpointInfo) -> list[tuple[str, str]]:
    """Return all metadata as names and values."""
    facts, training = _facts(info, "bits"), info.training
    described = {
        "run": facts["run"],
        "step": f"{facts['step']} (epoch {info.position.epoch}; next batch {info.position.batch:,})",
        "trained for": f"{facts['trained for']}, {info.progress.total_chars:,} characters",
        "validation bits/char": bits_of(info),
        "corpus": info.corpus_name,
        **{name: facts[name] for name in ("vocabulary", "model")},
        "preset": ": ".join(filter(None, (training.preset, training.preset_reason))),
        "training": f"batch {facts['batch size']}, learning rate {facts['learning rate']}",
        "device": facts["device"],
        "versions": ", ".join(f"{name} {version}" for name, version in info.versions.items()),
    }
    return [(name, sanitize_line(value)) for name, value in described.items()]


def detail_lines(entry: CheckpointEntry, unit: LossUnit) -> list[str]:
    """Return a few lines with what the row of the table lacks, losses in `unit`."""
    saved_at = datetime.fromtimestamp(entry.saved_at).astimezone().strftime("%d %b %Y %H:%M")
    saved = f"saved {saved_at}, {format_size(entry.num_bytes)}{', pinned' if entry.is_pinned else ''}"
    if (info := entry.info) is None:
        return [saved]
    facts = _facts(info, unit)
    settings = f"batch {facts['batch size']}, learning rate {facts['learning rate']}"
    losses = ", ".join(f"{name} {loss}" for name, loss in _losses(info, unit).items() if loss)
    lines = [
        f"from the run {facts['run']}, step {facts['step']}, on {info.corpus_name}",
        f"{facts['model']}; {format_short(num_parameters(info))} parameters, {facts['vocabulary']}",
        f"{info.training.preset}: {settings}; trained for {facts['trained for']}",
        f"{unit_label(unit)}: {losses}" if losses else "",
        saved,
    ]
    return list(map(sanitize_line, filter(None, lines)))


def comparison(left: CheckpointInfo, right: CheckpointInfo, unit: LossUnit) -> list[ComparedField]:
    """Return the main fields of two checkpoints, losses in `unit`, then every other setting that differs."""
    rights = _facts(right, unit)
    pairs = [ComparedField(name, value, rights[name]) for name, value in _facts(left, unit).items()]
    if left.vocab != right.vocab:
        only = [{*left.vocab} - {*right.vocab}, {*right.vocab} - {*left.vocab}]
        texts = (sanitize_in_place("".join(sorted(chars))) or "none" for chars in only)
        pairs.append(ComparedField("only in its vocabulary", *texts))
    settings, others = (
        {**asdict(each.model), **asdict(each.training), **asdict(each.sampling)} for each in (left, right)
    )
    for name, value in settings.items():
        if name not in _IN_MAIN_FIELDS and value != others[name]:
            text_of = partial(format_setting, name) if hasattr(left.sampling, name) else format_value
            label = SETTING_LABELS.get(name, name.replace("_", " "))
            pairs.append(ComparedField(label, *(sanitize_line(text_of(each)) for each in (value, others[name]))))
    return pairs


def num_parameters(info: CheckpointInfo) -> int:
    """Return the number of the model's parameters."""
    return info.model.num_parameters(len(info.vocab) + len(SPECIALS))


def _losses(info: CheckpointInfo, unit: LossUnit) -> dict[str, str]:
    """Return the losses by name, with the step of an earlier evaluation; "" for a missing one."""
    train, bits = info.progress.train_loss, info.progress.bits_per_char
    at = f" @{info.progress.last_eval_step:,}" if info.is_evaluation_stale else ""
    return {
        _TRAIN: "" if train is None else format_loss(train, unit),
        "validation": "" if bits is None else format_bits(bits, unit) + at,
    }


def bits_of(info: CheckpointInfo) -> str:
    """Return the bits per character: "1.78", or "1.78 @2,500" if evaluated at an earlier step."""
    return _losses(info, "bits")["validation"] or _NOT_EVALUATED


def model_text(model: ModelConfig) -> str:
    """Return the architecture: "GRU 2 x 256, embedding 96, dropout 0.1, tied, 11,937 n-gram embeddings"."""
    tied = ", tied" if model.tied_embeddings else ""
    ngrams = f", {model.ngram_contexts:,} n-gram embeddings" if model.ngram_contexts else ""
    size = f"GRU {model.num_layers} x {model.hidden_size}, embedding {model.embedding_size}"
    return f"{size}, dropout {model.dropout:g}{tied}{ngrams}"


def grouped(
    entries: Iterable[CheckpointEntry], run: str, order: Order, typed: str = ""
) -> dict[str, list[CheckpointEntry]]:
    """Return by heading those saved by name, those of the current `run`, and those of other runs; no empty group.

    A group has the entries that contain every typed word in name, run or corpus, pinned ones first. Without a typed
    word, those of step 0 that a run saved by itself are left out. The highest step and the largest come first; by loss,
    the lowest, then those evaluated at an earlier step, then those never evaluated.
    """
    groups: dict[str, list[CheckpointEntry]] = {"saved by name": [], f"this run, {run}": [], "other runs": []}
    named, own, other = groups.values()
    words, key = typed.casefold().split(), _SORT_KEYS[order]
    for entry in sorted(entries, key=lambda each: (not each.is_pinned, key(each), _natural_key(each.name))):
        if all(word in _searched_text(entry) for word in words) and (words or not is_untrained(entry)):
            (named if entry.is_named else own if entry.name.rpartition("/")[0] == run else other).append(entry)
    return {heading: group for heading, group in groups.items() if group}


def is_untrained(entry: CheckpointEntry) -> bool:
    """Return whether a run saved the entry at step 0, and the user did not pin it."""
    return entry.step == 0 and not entry.is_named and not entry.is_pinned


def _searched_text(entry: CheckpointEntry) -> str:
    texts = [entry.name, *([entry.info.run, entry.info.corpus_name] if entry.info else [])]
    return " ".join([*texts, *([UNTRAINED] if is_untrained(entry) else [])]).casefold()


_SORT_KEYS: dict[Order, Callable[[CheckpointEntry], tuple[float, ...]]] = {
    "name": lambda _: (),
    "step": lambda entry: (1.0 if entry.step is None else -entry.step,),
    "loss": lambda entry: (
        (math.inf,) if entry.bits_per_char is None else (bool(_evaluated_at(entry)), entry.bits_per_char)
    ),
    "size": lambda entry: (-entry.num_bytes,),
    "age": lambda entry: (-entry.saved_at,),
}
"""Ties are broken by name."""


def _evaluated_at(entry: CheckpointEntry) -> str:
    """Return the step of the last evaluation, as " @2.5k", if that is before the step of the entry."""
    info = entry.info
    return f" @{format_short(info.progress.last_eval_step)}" if info is not None and info.is_evaluation_stale else ""


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Return a key for natural sort order: step-9 before step-10."""
    pieces = re.split(r"(\d+)", name.casefold())
    return [(int(piece), "") if piece.isdecimal() else (-1, piece) for piece in pieces]


def format_age(seconds: float) -> str:
    """Return an age: "now", "20 s", "3 min", "5 h", "12 d", "3 y"."""
    ages = (f"{seconds / size:.0f} {unit}" for size, unit in _AGES if seconds >= _MIN_UNITS * size)
    return next(ages, "now")


def rows_of(
    entries: Sequence[CheckpointEntry], run: str, now: float, unit: LossUnit
) -> list[tuple[str, str, str, str, str]]:
    """Return name, step, validation loss in `unit`, size and age of each entry as text.

    A name of the current `run` is without that. The loss ends with the step of an earlier evaluation, as " @2.5k", or
    with as many blanks, so that the digits of the column are aligned.
    """
    evaluated_at = list(map(_evaluated_at, entries))
    at_width = max(map(len, evaluated_at), default=0)
    return [
        (
            sanitize_line(entry.name.removeprefix(f"{run}/"), 200),
            "damaged" if entry.problem else UNKNOWN if entry.step is None else f"{entry.step:,}",
            (UNKNOWN if entry.bits_per_char is None else format_bits(entry.bits_per_char, unit)) + at.ljust(at_width),
            format_size(entry.num_bytes),
            format_age(now - entry.saved_at),
        )
        for entry, at in zip(entries, evaluated_at, strict=True)
    ]
