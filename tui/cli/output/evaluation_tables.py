"""The results of `evaluate` as tables: the model beside n-gram baselines, its tweets beside real ones."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tui.cli.output.tables import print_facts, print_json, print_table
from tui.text.numbers import format_count

if TYPE_CHECKING:  # they import torch
    from engine.sampling.generation import Comparison, Quality
    from engine.training.evaluation import Evaluation

_N_GRAM = "witten_bell_"
_LABELS = {
    "bits_per_char": "bits/char",
    "nats_per_char": "nats/char",
    "num_tweets": "tweets",
    "num_chars": "characters",
    "num_unknown_chars": "outside the vocabulary",
}
"""Display names of the figures, by JSON name."""


def print_evaluation_json(result: Evaluation, bits: Mapping[str, float] | None, comparison: Comparison | None) -> None:
    """Print one JSON object with the parts that were computed."""
    further = {"baselines": bits, "quality": comparison}
    print_json(
        _losses(result) | _counts(result) | {name: value for name, value in further.items() if value is not None}
    )


def print_evaluation(result: Evaluation, bits: Mapping[str, float] | None, comparison: Comparison | None) -> None:
    """Print the model's figures, and a table for baselines and quality if computed."""
    shown = {_LABELS[name]: f"{value:.4f}" for name, value in _losses(result).items()}
    shown |= {_LABELS[name]: format_count(count) for name, count in _counts(result).items()}
    print_facts(shown.items())
    if bits is not None:
        sys.stdout.write("\n")
        _print_baselines(result.bits_per_char, bits)
    if comparison is not None:
        sys.stdout.write("\n")
        _print_quality(comparison)


def _losses(result: Evaluation) -> dict[str, float]:
    """Return the losses by their JSON names."""
    return {"bits_per_char": result.bits_per_char, "nats_per_char": result.nats_per_char}


def _counts(result: Evaluation) -> dict[str, int]:
    """Return the counts by their JSON names."""
    return {
        "num_tweets": result.num_tweets,
        "num_chars": result.num_chars,
        "num_unknown_chars": result.num_unknown_chars,
    }


def _print_baselines(of_model: float, of_baselines: Mapping[str, float]) -> None:
    """Print bits per character, one model per line, and mark the best."""
    bits = {_title(name): value for name, value in of_baselines.items()} | {"this model": of_model}
    best = min(bits, key=lambda title: bits[title])
    rows = ((title, f"{value:.4f}", "best" if title == best else "") for title, value in bits.items())
    print_table(("model", "bits/char", ""), rows)


def _title(name: str) -> str:
    """Return the display name of a baseline."""
    return f"Witten-Bell {name.removeprefix(_N_GRAM)}-gram" if name.startswith(_N_GRAM) else name


def _print_quality(comparison: Comparison) -> None:
    """Print figures of sampled tweets beside those of real ones."""
    columns = [_cells(comparison.written), _cells(comparison.held_out)]
    training = {"mean chars": f"{comparison.train_mean_chars:.1f}"}
    rows = ((name, *(column[name] for column in columns), training.get(name, "")) for name in columns[0])
    print_table(("tweets", "sampled", "validation", "training"), rows)


def _cells(quality: Quality) -> dict[str, str]:
    """Return the figures formatted, by display name."""
    shares = {
        "known words": quality.known_word_share,
        "distinct-3": quality.distinct_3,
        "copies": quality.copy_share,
        "near-copies": quality.near_copy_share,
        "ended by <EOS>": quality.ended_share,
    }
    return {
        "number": format_count(quality.num_tweets),
        **{name: f"{100 * share:.1f} %" for name, share in shares.items()},
        "mean chars": f"{quality.mean_chars:.1f}",
    }
