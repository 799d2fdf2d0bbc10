"""What a run can be asked to do: one frozen dataclass per concern, each checked when it is made.

The sentence under each field is also the help of the command line's option of that name (`field_help`). A value out of
range raises `ConfigError` with the field, the value and the range, so a config that exists is one that can be run.

`RunConfig` holds the wishes; which `ModelConfig` and `TrainingConfig` they lead to is decided by
`engine.config.presets`, once the corpus and the device are known.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import pairwise
from typing import Any, Literal, TypeVar

from engine.config.corpus import CorpusConfig
from engine.config.validation import require, require_between, require_choice
from engine.errors import ConfigError
from engine.text import MAX_CHARS, is_harmless

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
Tuning = Literal["", "measured", "fixed"]
"""How precision and number of threads were chosen: measured, or fixed by hand or by rule; empty if unknown."""
Schedule = Literal["constant", "cosine", "cooldown"]
PresetName = Literal["auto", "tutorial"]
Setting = int | float | str

MIN_TEMPERATURE = 0.05
MAX_TEMPERATURE = 5.0
MIN_LEARNING_RATE = 1e-8
MAX_LEARNING_RATE = 10.0
MAX_BATCH_SIZE = 65536
LADDER_TEMPERATURES = (0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 5.0)


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """The shape of a `TextGenerator`, but for the size of its vocabulary."""

    embedding_size: int = 128
    """Size of a character's embedding (E)."""
    hidden_size: int = 128
    """Size of the GRU's hidden state (H)."""
    num_layers: int = 1
    """Number of GRU layers on top of each other (L)."""
    dropout: float = 0.0
    """Share of activations dropped between GRU layers and before the projection, while training."""
    tied_embeddings: bool = False
    """Characters are written with the matrix that they are read with (Press and Wolf 2017, arXiv:1608.05859)."""

    def __post_init__(self) -> None:
        """Check every field."""
        require_between(self, "embedding_size", 1, 8192)
        require_between(self, "hidden_size", 1, 8192)
        require_between(self, "num_layers", 1, 16)
        require_between(self, "dropout", 0.0, 0.95)
        is_square = not self.tied_embeddings or self.embedding_size == self.hidden_size
        rule = f"tied to the projection, it is the hidden_size, {self.hidden_size}"
        require("embedding_size", self.embedding_size, rule, is_valid=is_square)


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained: optimizer, schedule, budget, and what happens every so many steps."""

    preset: str = "tutorial"
    """Settings to start from: auto chooses by corpus and device, tutorial is CSC321 Tutorial 11's own."""
    preset_reason: str = ""
    """Why the preset chose what it chose, in one line."""
    batch_size: int = 32
    """Tweets in one step (B)."""
    learning_rate: float = 0.004
    """AdamW's learning rate at its highest."""
    schedule: Schedule = "constant"
    """After the warm-up: constant, a cosine to a twentieth, or a cooldown to nothing at the end of the budget."""
    warmup_steps: int = 0
    """Steps over which the learning rate rises from nothing."""
    weight_decay: float = 0.0
    """AdamW's decoupled weight decay."""
    max_grad_norm: float = 0.0
    """Longest gradient that is used as it is; a longer one is shortened to it. 0 never shortens."""
    average_lag: float = 0.0
    """Mean age, as a share of the steps so far, of the weights whose average writes and is evaluated; 0: the last."""
    epochs: float | None = None
    """Passes over the training tweets after which the run ends."""
    max_steps: int | None = None
    """Steps after which the run ends."""
    max_seconds: float | None = None
    """Seconds of training after which the run ends, pauses not counted."""
    eval_every: int = 500
    """Steps between two evaluations; 0 never evaluates."""
    eval_tweets: int = 2000
    """Validation tweets that an evaluation during training reads, always the same ones."""
    sample_every: int = 100
    """Steps between two tweets in the feed; 0 writes none."""
    save_every: int = 0
    """Steps between two checkpoints step-N of the run, which stay; 0 saves none."""
    keep_checkpoints: int = 10
    """Checkpoints step-N of a run that are kept; older ones go, unless they are pinned. 0 keeps all."""
    autosave_seconds: float = 60.0
    """Seconds between two savings of the latest checkpoint."""
    seed: int = 0
    """Where all randomness starts. Given, the same command gives the same run, bit for bit, on the same machine."""

    def __post_init__(self) -> None:
        """Check every field."""
        require_between(self, "batch_size", 1, MAX_BATCH_SIZE)
        require_between(self, "learning_rate", MIN_LEARNING_RATE, MAX_LEARNING_RATE)
        require_choice(self, "schedule", Schedule)
        require_between(self, "warmup_steps", 0)
        require_between(self, "weight_decay", 0.0, 10.0)
        require_between(self, "max_grad_norm", 0.0)
        require_between(self, "average_lag", 0.0, 0.45)
        require_between(self, "epochs", 0.001)
        require_between(self, "max_steps", 1)
        require_between(self, "max_seconds", 0.1)
        require_between(self, "eval_every", 0)
        require_between(self, "eval_tweets", 1)
        require_between(self, "sample_every", 0)
        require_between(self, "save_every", 0)
        require_between(self, "keep_checkpoints", 0)
        require_between(self, "autosave_seconds", 1.0)
        require_between(self, "seed", 0, 2**63 - 1)


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How the next character is drawn from what the model expects."""

    temperature: float = 0.8
    """0.05 to 5: low is safe and repetitive, 1 is the model as it is, high is wild; 0 always takes the likeliest."""
    top_k: int = 0
    """Draw from the k likeliest characters only; 0 from all."""
    top_p: float = 1.0
    """Draw from the likeliest characters that together hold this probability; 1 from all."""
    min_p: float = 0.0
    """Leave out characters less likely than this share of the likeliest one's probability; 0 leaves out none."""
    prime: str = ""
    """Text that every tweet begins with."""
    max_length: int = 140
    """Characters, the prime included, after which a tweet is cut."""

    def __post_init__(self) -> None:
        """Check every field."""
        value: object = self.temperature
        is_valid = isinstance(value, int | float) and (value == 0 or MIN_TEMPERATURE <= value <= MAX_TEMPERATURE)
        rule = f"it is 0, or a number from {MIN_TEMPERATURE:g} to {MAX_TEMPERATURE:g}"
        require("temperature", value, rule, is_valid=is_valid)
        require_between(self, "top_k", 0)
        require_between(self, "top_p", 0.001, 1.0)
        require_between(self, "min_p", 0.0, 0.999)
        require_between(self, "max_length", 1, 100_000)
        longest = min(self.max_length - 1, MAX_CHARS)
        rule = f"it is shorter than max_length, which is {self.max_length}, and has at most {MAX_CHARS:,} characters"
        require("prime", f"{len(self.prime)} characters long", rule, is_valid=len(self.prime) <= longest)
        rule = "it holds no control or invisible characters, and no flood of accents"
        require("prime", repr(self.prime), rule, is_valid=is_harmless(self.prime))


@dataclass(frozen=True, kw_only=True)
class RuntimeConfig:
    """What the run is computed on and with."""

    device: Device = "auto"
    """cpu, cuda, mps, or auto: the fastest of them that this machine has."""
    precision: Precision = "auto"
    """float32, bfloat16, or auto: what training is measured to be faster with; with --seed, float32 on a processor."""
    threads: int = 0
    """Processor threads; 0 measures which number trains fastest; with --seed, all cores but one, at most four."""

    def __post_init__(self) -> None:
        """Check every field."""
        require_choice(self, "device", Device)
        require_choice(self, "precision", Precision)
        require_between(self, "threads", 0, 1024)


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """All that one run was asked for."""

    preset: PresetName = "auto"
    """Settings to start from: auto chooses by corpus and device, tutorial is CSC321 Tutorial 11's own."""
    settings: Mapping[str, Setting] = field(default_factory=dict)
    """Fields of `ModelConfig`, `TrainingConfig` and `SamplingConfig` set by hand, over the preset or the checkpoint."""
    corpus: CorpusConfig | None = None
    """Which tweets; None takes those of the checkpoint, or else the embedded corpus."""
    runtime: RuntimeConfig = RuntimeConfig()
    """Device, precision and threads."""
    run_name: str | None = None
    """Name of the run and its folder; without it, the date and time."""
    checkpoint: str | None = None
    """Name or path of a checkpoint that a new run begins from."""
    resume: str | None = None
    """Name of a run that goes on in its own folder; `last` is the latest one."""

    def __post_init__(self) -> None:
        """Check every field, and every setting by making the configs that it belongs to."""
        require_choice(self, "preset", PresetName)
        known = field_names(ModelConfig) | field_names(TrainingConfig) | field_names(SamplingConfig)
        for name, value in self.settings.items():
            require(name, value, "there is no such setting", is_valid=name in known)
        with_settings(ModelConfig(), self.settings)
        with_settings(TrainingConfig(), self.settings)
        with_settings(SamplingConfig(), self.settings)
        if self.resume is not None and (self.checkpoint is not None or self.run_name is not None):
            raise ConfigError(
                "--resume goes on with a run as it is; it takes no --checkpoint and no --run-name.",
                "Use --checkpoint alone to begin a new run from a checkpoint.",
            )


def field_names(config_type: type) -> frozenset[str]:
    """Return the names of a config's fields."""
    return frozenset(inspect.get_annotations(config_type))


_Config = TypeVar("_Config", ModelConfig, TrainingConfig, SamplingConfig)


def with_settings(config: _Config, settings: Mapping[str, Setting]) -> _Config:
    """Return `config` with those of `settings` that are fields of it."""
    own = field_names(type(config))
    chosen: dict[str, Any] = {name: value for name, value in settings.items() if name in own}
    return replace(config, **chosen)


@cache
def field_help(config_type: type) -> dict[str, str]:
    """Return the sentence under each field of a config, by the field's name."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(config_type))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    sentences = {}
    for statement, following in pairwise(body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(sentence))):
                sentences[name] = sentence
    return sentences
