"""The model card of a folder for a hub: figures for people, in the template `assets/hub/card.md`. Quotes no tweet.

The name is the only text from outside. In the YAML head it is a JSON string, which is YAML; in the text it is escaped,
so that it is never markup.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from string import Template
from typing import Final

from engine.checkpoints.format import CheckpointInfo
from engine.corpus.sources import EMBEDDED_NAME
from engine.export.copies import NUM_SAMPLES, Measured
from engine.model.vocab import SPECIALS
from engine.text import counted, sanitize_line

OTHER: Final = "other"
"""A license that is not in the hub's list: its text belongs into a file LICENSE, its name into the card."""
_MAX_NAME_CHARS = 100
_TAGS = ("text-generation", "character-level", "gru", "rnn", "pytorch", "tweets")
_MARKUP = re.compile(r"[!-,:-@\[-`{-~]")
"""All ASCII punctuation but - . and /, which are no markup within a heading."""
_NO_DATA = "The weights come from another model folder, whose card describes the data."
_NO_COUNTS = """\
$origin
They are those of its last run: weights that this run started from may have been trained on others. They could not be \
read when this folder was written, so they are not counted."""
_NO_FIGURES = """\
How many of its tweets are copies was not measured, nor its bits per character: the training tweets could not be \
read."""
_NO_TRAINING = """\
Not since the weights were imported from another model folder; `config.json` has the settings from there."""


def model_card(name: str, license_id: str, info: CheckpointInfo, measured: Measured | None) -> str:
    """Return the model card; `measured` is None where the training tweets could not be read."""
    name = sanitize_line(name, _MAX_NAME_CHARS)
    card = (importlib.resources.files("assets.hub") / "card.md").read_text(encoding="utf-8")
    if not info.knows_corpus:
        card = _with_section(_with_section(card, "Training data", _NO_DATA), "Training", _NO_TRAINING)
    elif measured is None:
        card = _with_section(card, "Training data", _NO_COUNTS)
    values = {"head": "\n".join(_head(name, license_id, info, measured)), "title": _MARKUP.sub(r"\\\g<0>", name)}
    values |= _values_of(info)
    if measured is None:
        card = _with_section(card, "Figures", _NO_FIGURES)
    else:
        values |= _values_of_measured(info, measured)
    return Template(card).substitute(values)


def _with_section(card: str, heading: str, text: str) -> str:
    """Return a template with another text below a heading."""
    before, title, rest = card.partition(f"\n## {heading}\n\n")
    _, next_title, after = rest.partition("\n\n## ")
    return f"{before}{title}{text}{next_title}{after}" if next_title else f"{before}{title}{text}\n"


def _values_of(info: CheckpointInfo) -> dict[str, str]:
    """Return the values of the card that are known of every checkpoint."""
    model, training = info.model, info.training
    parts = [
        counted(model.num_layers, "layer") + f" of {model.hidden_size:,} units",
        f"embeddings of {model.embedding_size:,}",
        *(["one matrix for embedding and output"] if model.tied_embeddings else []),
        *([f"vectors of {model.ngram_contexts:,} frequent character sequences"] if model.ngram_contexts else []),
    ]
    num_symbols = len(SPECIALS) + len(info.vocab)
    return {
        "parts": ", ".join(parts),
        "num_parameters": f"{model.num_parameters(num_symbols):,}",
        "num_symbols": f"{num_symbols:,}",
        "num_chars": f"{len(info.vocab):,}",
        "max_length": f"{info.sampling.max_length:,}",
        "origin": "Tweets that are neither named nor included here."
        if info.corpus.files
        else "Synthetic tweets, from a grammar.",
        "steps": f"{info.step:,}",
        "trained_chars": f"{info.progress.total_chars:,}",
        "batch_size": f"{training.batch_size:,}",
        "learning_rate": f"{training.learning_rate:g}",
        "schedule": training.schedule,
        "weight_decay": f"{training.weight_decay:g}",
        "dropout": f"{model.dropout:g}",
        "max_grad_norm": f"{training.max_grad_norm:g}" if training.max_grad_norm else "not clipped",
        "weights": "averaged" if training.average_lag else "of the last step",
        "precision": info.computation.precision,
    }


def _values_of_measured(info: CheckpointInfo, measured: Measured) -> dict[str, str]:
    """Return the values of the card that are measured with the training tweets."""
    is_overfit = info.corpus.overfit is not None
    return {
        "num_train_tweets": f"{measured.num_train_tweets:,}",
        "num_train_chars": f"{measured.num_train_chars:,}",
        "alphabet": counted(measured.alphabet_size, "character"),
        "val_tweets": "the training tweet" if is_overfit else f"{measured.num_val_tweets:,}",
        "measured_tweets": "the training tweet" if is_overfit else "all validation tweets",
        "bits_per_char": f"{measured.bits_per_char:.3f}",
        "unigram_bits": f"{measured.unigram_bits:.3f}",
        "uniform_bits": f"{measured.uniform_bits:.3f}",
        "num_samples": f"{NUM_SAMPLES:,}",
        "temperature": f"{info.sampling.temperature:g}",
        "num_copies": f"{measured.copies.num_copies:,}",
        "num_near_copies": f"{measured.copies.num_near_copies:,}",
    }


def _head(name: str, license_id: str, info: CheckpointInfo, measured: Measured | None) -> list[str]:
    """Return the lines of the YAML head; its figure is a `model-index` (github.com/huggingface/hub-docs, modelcard.md).

    Only the embedded data set is named.
    """
    lines = [f"license: {license_id}"]
    if license_id == OTHER:
        lines += ["license_name: custom", "license_link: LICENSE"]
    lines += ["library_name: tweetgen-tui", "pipeline_tag: text-generation", f"tags: {_json(_TAGS)}"]
    if measured is not None:
        is_own = bool(info.corpus.files)
        dataset = {
            "type": "private" if is_own else "synthetic",
            "name": "tweets that are not named" if is_own else EMBEDDED_NAME,
            "split": "validation" if info.corpus.overfit is None else "train",
        }
        bits = round(measured.bits_per_char, 4)
        metric = {"type": "bits_per_character", "value": bits, "name": "Bits per character"}
        lines += [
            "model-index:",
            f"- name: {_json(name)}",
            "  results:",
            f"  - task: {_json({'type': 'text-generation', 'name': 'Text generation'})}",
            f"    dataset: {_json(dataset)}",
            f"    metrics: {_json([metric])}",
        ]
    return lines


def _json(value: object) -> str:
    """Return a value as JSON on one line. Not in ASCII: YAML has no surrogate pairs."""
    return json.dumps(value, ensure_ascii=False)
