"""A checkpoint's metadata as text: for the list's detail, for a comparison of two, and for the command line. Pure.

The texts are safe to print: a checkpoint may come from anybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime

from engine.checkpoints.catalog import CheckpointEntry
from engine.checkpoints.format import CheckpointInfo
from engine.config.run import Computation, ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.corpus.report import counted
from engine.model.vocab import SPECIALS
from engine.text import sanitize_in_place, sanitize_line
from tui.formatting.loss_units import LossUnit, format_bits, format_loss, unit_label
from tui.formatting.numbers import format_duration, format_short, format_size
from tui.formatting.sampling import SETTING_LABELS, format_setting, format_value

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
