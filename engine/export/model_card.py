"""The model card of a folder for a hub: figures for people, in the template `assets/hub/card.md`. Quotes no tweet.

The name is the only text from outside. In the YAML head it is a JSON string, which is YAML; in the text it is escaped,
so that it is never markup.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from string import Template
from typing import Final

from engine.baselines import baseline_pieces
from engine.checkpoints.checkpoint import Checkpoint
from engine.checkpoints.format import CheckpointInfo
from engine.corpus.arrays import EncodedTweets
from engine.corpus.report import counted
from engine.corpus.sources import EMBEDDED_NAME
from engine.export.copies import NUM_SAMPLES, Figures, measure_figures
from engine.model.gru import TextGenerator
from engine.model.vocab import SPECIALS
from engine.progress import OnProgress, part_of, run_to_end
from engine.sampling.generation import load_training_corpus
from engine.text import sanitize_line

OTHER: Final = "other"
"""A license that is not in the hub's list: its text belongs into a file LICENSE, its name into the card."""
_READ: Final = 0.3
"""Share of the total time that has passed once the tweets are read."""
_MAX_NAME_CHARS = 100
_TAGS = ("text-generation", "character-level", "gru", "rnn", "pytorch", "tweets")
_MARKUP = re.compile(r"[!-,:-@\[-`{-~]")
"""All ASCII punctuation but - . and /, which are no markup within a heading."""
_RULES = """\
Bits per character; lower is better. Each character counts, and so does the end of each tweet; a character outside the
vocabulary costs its `<UNK>` and 20 bits more.
*Uniform* takes all symbols for equally likely, *unigram* knows how frequent each one is in the training tweets."""
_COPIES = """\
* copies of a training tweet: **{copies:,}**
* near-copies, in which long parts of training tweets make up at least half: **{near_copies:,}**

Names, links, case and punctuation are ignored in the comparison."""


@dataclass(frozen=True, kw_only=True)
class Measured(Figures):
    """Counts of the training tweets, and the model's figures on them."""

    num_train_tweets: int
    num_val_tweets: int
    num_train_chars: int
    alphabet_size: int
    uniform_bits: float
    """Bits per character of a model to which all characters are equally likely."""
    unigram_bits: float
    """The same of a model that knows how frequent each character is."""


def measure(path: Path, checkpoint: Checkpoint, model: TextGenerator, on_progress: OnProgress) -> Measured:
    """Read the tweets that the checkpoint at `path` was trained on, evaluate `model`, and count copies in samples.

    Raises as `load_training_corpus`.
    """
    info, vocab = checkpoint.info, checkpoint.vocab
    corpus = load_training_corpus(path, info, part_of(on_progress, 0.0, _READ))
    sampling = replace(info.sampling, prime="")  # a model folder stores no prime
    train, held_out = (EncodedTweets.from_flat(tweets, vocab) for tweets in (corpus.train, corpus.validation))
    baselines = run_to_end(baseline_pieces(train, held_out, len(vocab), highest_order=1))
    figures = measure_figures(model, vocab, corpus, sampling, part_of(on_progress, _READ, 1.0))
    return Measured(
        num_train_tweets=len(corpus.train),
        num_val_tweets=len(corpus.validation),
        num_train_chars=sum(corpus.char_counts.values()),
        alphabet_size=len(corpus.char_counts),
        bits_per_char=figures.bits_per_char,
        copies=figures.copies,
        uniform_bits=baselines["uniform"],
        unigram_bits=baselines["unigram"],
    )


def model_card(name: str, license_id: str, info: CheckpointInfo, measured: Measured | None) -> str:
    """Return the model card; `measured` is None where the training tweets could not be read."""
    name = sanitize_line(name, _MAX_NAME_CHARS)
    model = info.model
    parts = [
        counted(model.num_layers, "layer") + f" of {model.hidden_size:,} units",
        f"embeddings of {model.embedding_size:,}",
        *(["one matrix for embedding and output"] if model.tied_embeddings else []),
        *([f"vectors of {model.ngram_contexts:,} frequent character sequences"] if model.ngram_contexts else []),
    ]
    num_symbols = len(SPECIALS) + len(info.vocab)
    template = (importlib.resources.files("assets.hub") / "card.md").read_text(encoding="utf-8")
    return Template(template).substitute(
        head="\n".join(_head(name, license_id, info, measured)),
        title=_MARKUP.sub(r"\\\g<0>", name),
        parts=", ".join(parts),
        num_parameters=f"{model.num_parameters(num_symbols):,}",
        num_symbols=f"{num_symbols:,}",
        data=_data(info, measured),
        figures=_figures(info, measured),
        num_chars=f"{len(info.vocab):,}",
        max_length=f"{info.sampling.max_length:,}",
        training=_training(info),
    )


def _head(name: str, license_id: str, info: CheckpointInfo, measured: Measured | None) -> list[str]:
    """Return the lines of the YAML head; its figure is a `model-index` (github.com/huggingface/hub-docs, modelcard.md).

    Of data sets, only the embedded one is named.
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


def _data(info: CheckpointInfo, measured: Measured | None) -> str:
    """Return the training tweets as counts."""
    if not info.knows_corpus:
        return "The weights come from another model folder, whose card describes the data."
    origin = (
        "Tweets that are neither named nor included here." if info.corpus.files else "Synthetic tweets, from a grammar."
    )
    origin += "\nThey are those of its last run: weights that this run started from may have been trained on others."
    if measured is None:
        return f"{origin} They could not be read when this folder was written, so they are not counted."
    counts = {
        "training tweets": f"{measured.num_train_tweets:,}",
        "their characters": f"{measured.num_train_chars:,}",
        "their alphabet": counted(measured.alphabet_size, "character"),
        "validation tweets": f"{measured.num_val_tweets:,}" if info.corpus.overfit is None else "the training tweet",
    }
    return f"{origin}\n\n{_table('count', counts)}"


def _figures(info: CheckpointInfo, measured: Measured | None) -> str:
    """Return bits per character, and how many of some samples are copies."""
    if measured is None:
        return (
            "How many of its tweets are copies was not measured, nor its bits per character: the training tweets could "
            "not be read."
        )
    bits = {
        "this model": measured.bits_per_char,
        "unigram": measured.unigram_bits,
        "uniform": measured.uniform_bits,
    }
    tweets = "all validation tweets" if info.corpus.overfit is None else "the training tweet"
    table = _table(f"on {tweets}", {name: f"{value:.3f}" for name, value in bits.items()})
    copies = measured.copies
    samples = f"Of {NUM_SAMPLES:,} tweets sampled at temperature {info.sampling.temperature:g}:"
    counts = _COPIES.format(copies=copies.num_copies, near_copies=copies.num_near_copies)
    return f"{_RULES}\n\n{table}\n\n{samples}\n\n{counts}"


def _training(info: CheckpointInfo) -> str:
    """Return the settings of the training."""
    if not info.knows_corpus:
        return (
            "Not since the weights were imported from another model folder; `config.json` has the settings from there."
        )
    training = info.training
    settings = {
        "steps": f"{info.step:,}",
        "characters": f"{info.progress.total_chars:,}",
        "tweets per step": f"{training.batch_size:,}",
        "learning rate": f"{training.learning_rate:g}, {training.schedule}",
        "weight decay": f"{training.weight_decay:g}",
        "dropout": f"{info.model.dropout:g}",
        "gradient norm clipped at": f"{training.max_grad_norm:g}" if training.max_grad_norm else "not clipped",
        "weights": "averaged" if training.average_lag else "of the last step",
        "precision": info.computation.precision,
    }
    return _table("setting", settings) + "\n\n`config.json` has all of them."


def _table(heading: str, rows: Mapping[str, str]) -> str:
    """Return a Markdown table of two columns."""
    return "\n".join([f"| | {heading} |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
