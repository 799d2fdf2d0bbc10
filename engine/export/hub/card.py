"""The model card, README.md: a YAML head for the hub, then the model, its use, its data and its figures for people.

The name is the only text from outside. In the head it is a JSON string, which is YAML; in the text it is escaped, so
that it is never markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from engine.checkpoints.format import CheckpointInfo
from engine.corpus.report import counted
from engine.corpus.sources import EMBEDDED_NAME
from engine.export.figures import NUM_SAMPLES
from engine.export.hub.licenses import OTHER
from engine.export.hub.measured import Measured
from engine.model.vocab import SPECIALS
from engine.text import sanitize_line

_MAX_NAME_CHARS = 100
_TAGS = ("text-generation", "character-level", "gru", "rnn", "pytorch", "tweets")
_MARKUP = re.compile(r"[!-,:-@\[-`{-~]")
"""All ASCII punctuation but - . and /, which are no markup within a heading."""
_USE = """\
`modeling.py` needs `torch` and `safetensors` only. In this folder:

```python
from modeling import generate, load

model, vocab = load(".")
print(generate(model, vocab, temperature=0.8))
```

With tweetgen-tui, which also trains it further:

```sh
tweetgen-tui checkpoints import . --name shared
tweetgen-tui generate --checkpoint shared -n 5
tweetgen-tui train --checkpoint shared --data my.csv
```

Its tokens are characters; `vocab.json` has the id of each. It is not a model of `transformers`."""
_RULE = """\
Bits per character; lower is better. Each character counts, and so does the end of each tweet; a character outside the
vocabulary costs its `<UNK>` and 20 bits more."""
_BASELINES = """\
*Uniform* takes all symbols for equally likely, *unigram* knows how frequent each one is in the training tweets."""
_COPIES = """\
Of {count} tweets sampled at temperature {temperature}:

* copies of a training tweet: **{copies}**
* near-copies, in which long parts of training tweets make up at least half: **{near_copies}**

Names, links, case and punctuation are ignored in the comparison."""
_LIMITS = """\
* **It remembers.** A model of a few tweets repeats names, links and whole sentences of them. Whoever has the weights
  can sample until these appear: what must stay private must not be in the training tweets.
* It has learned spelling and style, no facts, and writes as its training tweets do, offensive ones included.
* It knows {chars} characters; a prompt has no others. `generate` ends a tweet after {length} characters."""


def model_card(name: str, license_id: str, info: CheckpointInfo, measured: Measured | None) -> str:
    """Return the model card; `measured` is None where the training tweets could not be read."""
    name = sanitize_line(name, _MAX_NAME_CHARS)
    sections = {
        "Use": _USE,
        "Training data": _data(info, measured),
        "Figures": _figures(info, measured),
        "Limits": _LIMITS.format(chars=f"{len(info.vocab):,}", length=f"{info.sampling.max_length:,}"),
        "Training": _training(info),
    }
    title = _MARKUP.sub(r"\\\g<0>", name)
    body = "".join(f"\n## {heading}\n\n{text}\n" for heading, text in sections.items())
    return f"{_head(name, license_id, info, measured)}\n# {title}\n\n{_what(info)}\n{body}"


def _head(name: str, license_id: str, info: CheckpointInfo, measured: Measured | None) -> str:
    """Return the YAML head; its figure is a `model-index` (github.com/huggingface/hub-docs, modelcard.md)."""
    lines = ["---", f"license: {license_id}"]
    if license_id == OTHER:
        lines += ["license_name: custom", "license_link: LICENSE"]
    lines += ["library_name: tweetgen-tui", "pipeline_tag: text-generation", f"tags: {_json(_TAGS)}"]
    if measured is not None:
        bits = round(measured.bits_per_char, 4)
        metric = {"type": "bits_per_character", "value": bits, "name": "Bits per character"}
        lines += [
            "model-index:",
            f"- name: {_json(name)}",
            "  results:",
            f"  - task: {_json({'type': 'text-generation', 'name': 'Text generation'})}",
            f"    dataset: {_json(_dataset(info))}",
            f"    metrics: {_json([metric])}",
        ]
    return "\n".join([*lines, "---", ""])


def _json(value: object) -> str:
    """Return a value as JSON on one line. Not in ASCII: YAML has no surrogate pairs."""
    return json.dumps(value, ensure_ascii=False)


def _dataset(info: CheckpointInfo) -> dict[str, str]:
    """Return the tweets of the figure, as the hub describes a data set; only the embedded ones have a name."""
    is_own = bool(info.corpus.files)
    return {
        "type": "private" if is_own else "synthetic",
        "name": "tweets that are not named" if is_own else EMBEDDED_NAME,
        "split": "validation" if info.corpus.overfit is None else "train",
    }


def _what(info: CheckpointInfo) -> str:
    """Return what the model is."""
    model = info.model
    parts = [
        counted(model.num_layers, "layer") + f" of {model.hidden_size:,} units",
        f"embeddings of {model.embedding_size:,}",
        *(["one matrix for embedding and output"] if model.tied_embeddings else []),
        *([f"vectors of {model.ngram_contexts:,} frequent character sequences"] if model.ngram_contexts else []),
    ]
    num_symbols = len(SPECIALS) + len(info.vocab)
    return (
        "A GRU that writes tweets character by character, trained with tweetgen-tui:\n"
        f"{', '.join(parts)};\n{model.num_parameters(num_symbols):,} parameters in float32, {num_symbols:,} symbols."
    )


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
    copies = _COPIES.format(
        count=f"{NUM_SAMPLES:,}",
        temperature=f"{info.sampling.temperature:g}",
        copies=f"{measured.copies.num_copies:,}",
        near_copies=f"{measured.copies.num_near_copies:,}",
    )
    return f"{_RULE}\n{_BASELINES}\n\n{table}\n\n{copies}"


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
