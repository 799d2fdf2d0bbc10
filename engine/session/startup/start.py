"""What a run starts from: a checkpoint of the user's, the model shipped for small corpora, or nothing.

**Warm start.** The shipped model was trained on the embedded, synthetic tweets (`assets/make_base.py`). A new run of
the preset `auto` on a small corpus of the user's starts from its weights, with a new optimizer and a vocabulary
extended by the corpus's own characters: measured in docs/recipes.md. `--from-scratch` starts from random weights.
"""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass, replace

from engine.checkpoints.catalog import latest_of, require_trusted_corpus, resolve_checkpoint
from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint
from engine.checkpoints.format import CheckpointInfo, Progress
from engine.config.corpus import CorpusConfig
from engine.config.run import RunConfig
from engine.corpus.training_data import KnownVocab
from engine.storage.folders import RunFolder

MAX_WARM_START_TWEETS = 4_000
"""A run on as many training tweets starts from random weights: there it gains almost nothing (docs/recipes.md)."""
WARM_START = "starts from the shipped model, trained on synthetic tweets; --from-scratch starts from random weights"
"""A line of the report of such a run."""
_SIZES = ("embedding_size", "hidden_size", "num_layers")


@dataclass(frozen=True, kw_only=True)
class Start:
    """What a run starts from; at most one of `checkpoint` and `base`."""

    checkpoint: Checkpoint | None = None
    name: str | None = None
    """The name of the checkpoint; bytes that are not UTF-8 are replaced."""
    base: Checkpoint | None = None
    """The shipped model, where a warm start is possible; the tweets decide."""

    @property
    def info(self) -> CheckpointInfo | None:
        """The metadata of the checkpoint."""
        return None if self.checkpoint is None else self.checkpoint.info

    @property
    def known_vocab(self) -> KnownVocab | None:
        """The vocabulary that the one of the run starts with."""
        if self.base is not None:
            return KnownVocab(chars=self.base.info.vocab, max_tweets=MAX_WARM_START_TWEETS)
        info = self.info
        return None if info is None else KnownVocab(chars=info.vocab, trained_digest=info.corpus_digest)


def find_start(config: RunConfig, resumed: RunFolder | None) -> Start:
    """Return what a run starts from; `resumed` is the run to continue. Raises `CheckpointError`."""
    if resumed is not None:
        return Start(checkpoint=load_checkpoint(latest_of(resumed)), name=f"{resumed.name}/latest")
    if config.checkpoint is not None:
        path = resolve_checkpoint(config.checkpoint)
        checkpoint = load_checkpoint(path)
        if config.corpus is None:
            require_trusted_corpus(path, checkpoint.info)
        return Start(checkpoint=checkpoint, name=config.checkpoint.encode("utf-8", "replace").decode())
    return Start(base=load_base() if _allows_warm_start(config) else None)


def continued(info: CheckpointInfo, digest: str, *, is_resumed: bool) -> tuple[Progress, float]:
    """Return the progress and the seconds of training that a run on the tweets with the hash `digest` continues.

    The steps of its checkpoint always count. A run that `is_resumed` in its own folder keeps its clock, its characters
    and a planned finish, and on the same tweets its figures. A new run keeps clock and characters on the same tweets
    only, and has no figures yet: it evaluates by itself, as a best without a `best` in its folder could not be loaded.
    """
    has_same_tweets = info.corpus_digest == digest
    progress = replace(info.progress) if is_resumed and has_same_tweets else info.progress.without_figures()
    if not is_resumed or info.has_finished:
        progress = replace(progress, finish=None)
    if is_resumed or has_same_tweets:
        return progress, info.elapsed_seconds
    return replace(progress, total_chars=0, last_sample_step=-1, num_exact_samples=0), 0.0


def load_base() -> Checkpoint:
    """Return the shipped model, a checkpoint without optimizer at step 0."""
    with importlib.resources.as_file(importlib.resources.files("assets") / "base.safetensors") as path:
        return load_checkpoint(path)


def _allows_warm_start(config: RunConfig) -> bool:
    """Return whether the settings allow a warm start: tweets of the user's own, and no sizes that the user set."""
    corpus = config.corpus or CorpusConfig()
    is_small_run = config.preset == "auto" and not config.from_scratch
    return is_small_run and bool(corpus.files) and corpus.overfit is None and not config.settings.keys() & set(_SIZES)
