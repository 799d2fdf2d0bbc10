"""Settings of a run: one frozen dataclass per concern, validated on construction.

The text under each field is the help of the command-line option of that name (`engine.config.fields`). A value out of
range raises `ConfigError`, so every config that exists is valid.

`RunConfig` is the request. `engine.config.presets` turns it into a `ModelConfig` and a `TrainingConfig` once corpus and
device are known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from engine.config.corpus import CorpusConfig
from engine.config.fields import Between, field_names, require, require_valid, with_settings
from engine.config.sampling import MAX_TWEET_CHARS, SamplingConfig
from engine.errors import ConfigError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "float32", "bfloat16"]
Tuning = Literal["", "measured", "fixed", "due"]
"""How precision and number of threads were chosen: measured, fixed by the user or by a rule, or as a start until both
of them, or the threads alone, are measured during training; empty if unknown."""
Schedule = Literal["constant", "cosine", "cooldown"]
Pacing = Literal["steps", "seconds"]
SamplePacing = Literal["interval", "doubling", "seconds"]
PresetName = Literal["auto", "tutorial"]
Setting: TypeAlias = Any
"""A value of a config field; the config checks it."""

MIN_LEARNING_RATE = 1e-8
MAX_LEARNING_RATE = 10.0
MAX_BATCH_SIZE = 65536
MAX_NGRAM_CONTEXTS = 16_384
MIN_STEPS_PER_SECOND = 0.01


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Sizes of a `TextGenerator`, except its vocabulary."""

    embedding_size: Annotated[int, Between(1, 8192)] = 128
    """Size of the character embedding (E)."""
    hidden_size: Annotated[int, Between(1, 8192)] = 128
    """Size of the GRU's hidden state (H)."""
    num_layers: Annotated[int, Between(1, 16)] = 1
    """Number of stacked GRU layers (L)."""
    dropout: Annotated[float, Between(0.0, 0.95)] = 0.0
    """Dropout probability between GRU layers and before the output projection."""
    tied_embeddings: bool = False
    """Share one matrix between embedding and output projection."""
    ngram_order: int = 0
    """Learn an input of the first layer for each frequent sequence of the last 2 to N characters, N up to 4; 0 disables
    it. At most 16,384 sequences, fewer with a hidden size of more than 256."""
    ngram_contexts: Annotated[int, Between(0, MAX_NGRAM_CONTEXTS)] = 0
    """Number of these sequences (R), counted in the training tweets at the start of a run."""

    def __post_init__(self) -> None:
        require_valid(self)
        require("ngram_order", self.ngram_order, "0, 2, 3 or 4", is_valid=self.ngram_order in {0, 2, 3, 4})
        is_square = not self.tied_embeddings or self.embedding_size == self.hidden_size
        allowed = f"equal to hidden_size, {self.hidden_size}, with tied embeddings"
        require("embedding_size", self.embedding_size, allowed, is_valid=is_square)

    def num_parameters(self, vocab_size: int) -> int:
        """Return the number of weights of a `TextGenerator`, without making one."""
        embedding = 0 if self.tied_embeddings else vocab_size * self.embedding_size
        inputs = (self.embedding_size, *[self.hidden_size] * (self.num_layers - 1))
        layers = sum(3 * self.hidden_size * (size + self.hidden_size + 2) for size in inputs)
        table = self.hidden_size * (1 + self.ngram_contexts) if self.ngram_contexts else 0
        return embedding + layers + vocab_size * (self.hidden_size + 1) + table


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Optimizer, learning-rate schedule, budget, and the intervals of evaluation, sampling and saving."""

    preset: str = "tutorial"
    """Name of the preset that these settings began with."""
    preset_reason: str = ""
    """Why the preset chose these settings, in one line."""
    batch_size: Annotated[int, Between(1, MAX_BATCH_SIZE)] = 32
    """Tweets per step (B)."""
    first_batch_size: Annotated[int, Between(0, MAX_BATCH_SIZE)] = 0
    """Tweets per step for the first 8,000 tweets of a run; 0: as later."""
    learning_rate: Annotated[float, Between(MIN_LEARNING_RATE, MAX_LEARNING_RATE)] = 0.004
    """Peak learning rate of AdamW."""
    schedule: Schedule = "constant"
    """Learning rate after the warm-up: constant, cosine (to 5 % of the peak) or cooldown (to zero, at the end)."""
    warmup_steps: Annotated[int, Between(0)] = 0
    """Steps of linear warm-up of the learning rate."""
    weight_decay: Annotated[float, Between(0.0, 10.0)] = 0.0
    """Decoupled weight decay of AdamW."""
    ngram_decay: Annotated[float, Between(0.0, 10.0)] = 0.0
    """Decoupled weight decay of the n-gram input; auto sets it, lower the more tweets there are."""
    max_grad_norm: Annotated[float, Between(0.0)] = 0.0
    """Clip the gradient to this norm; 0 disables clipping."""
    average_lag: Annotated[float, Between(0.0, 0.45)] = 0.0
    """Sample and evaluate with averaged weights; their mean age as a share of all steps. 0 disables averaging."""
    epochs: Annotated[float | None, Between(0.001)] = None
    """Stop after this many passes over the training tweets."""
    max_steps: Annotated[int | None, Between(1)] = None
    """Stop after this many steps."""
    max_seconds: Annotated[float | None, Between(0.1)] = None
    """Stop after this many seconds, pauses excluded."""
    patience: Annotated[int, Between(0)] = 0
    """Go back to the best weights and end once this many evaluations in a row are worse than the best by 1 % or more; 0
    never does. Where no other end is set, auto sets 4."""
    eval_every: Annotated[int, Between(0)] = 500
    """Steps between evaluations; 0 disables them. Without it, auto also evaluates at steps 64, 128 and so on below its
    interval, on up to 250 of the tweets: an early estimate, which is never the best."""
    eval_tweets: Annotated[int, Between(1)] = 2000
    """Validation tweets per evaluation during training, always the same ones."""
    early_eval_tweets: Annotated[int, Between(0)] = 0
    """Validation tweets of each evaluation at steps 64, 128 and so on before the first regular one; 0 disables them."""
    sample_every: Annotated[int, Between(0)] = 100
    """Steps between sampled tweets; 0 disables them. Without it, auto samples at steps 1, 2, 4, 8 and so on, and about
    every 2 seconds, in at most 2 % of the time; with --seed at steps 1, 2, 4 to 32 and every 50 steps."""
    sample_pacing: SamplePacing = "interval"
    """When tweets are sampled: at the interval; also at steps 1, 2, 4 ... below it; or at steps 1, 2, 4 ... and by
    time."""
    pacing: Pacing = "steps"
    """What paces evaluations, and samples at an interval: steps alone, or also a limited share of the time."""
    save_every: Annotated[int, Between(0)] = 0
    """Steps between checkpoints named step-N; 0 disables them."""
    keep_checkpoints: Annotated[int, Between(0)] = 10
    """Number of step-N checkpoints to keep; older ones are deleted unless pinned. 0 keeps all."""
    autosave_seconds: Annotated[float, Between(1.0)] = 60.0
    """Seconds between saves of the latest checkpoint."""
    keep_every_step: bool = False
    """Write every step to the run's journal; else those after the first 8,192 are written in buckets."""
    steps_per_second: Annotated[float, Between(MIN_STEPS_PER_SECOND, or_zero=True)] = 0.0
    """Take at most this many steps per second, to watch; 0 is no limit."""
    seed: Annotated[int, Between(0, 2**63 - 1)] = 0
    """Random seed; if given, the same command repeats the run bit for bit on the same machine, unless --max-seconds
    limits it; on a GPU with --deterministic."""

    def __post_init__(self) -> None:
        require_valid(self)


BUDGETS = ("max_steps", "epochs", "max_seconds")
"""The limits of a run; their names are also reasons of `RunFinished`."""
INTERVALS = ("eval_every", "sample_every", "sample_pacing")
IMPLIED_SETTINGS = ("first_batch_size", "pacing", "early_eval_tweets", "patience")
"""Settings that change with others (`implied_settings`); set by name only to undo such a change."""
_SETTINGS = field_names(ModelConfig) | field_names(TrainingConfig) | field_names(SamplingConfig)
LIVE_SETTINGS = field_names(SamplingConfig).union(
    {"learning_rate", "batch_size", "steps_per_second"}, INTERVALS, BUDGETS, IMPLIED_SETTINGS
)
"""Settings that can change while a run trains."""


def require_live(names: Iterable[str]) -> None:
    """Raise `ConfigError` unless a run can change all of these settings while it trains."""
    for name in names:
        if name in _SETTINGS - LIVE_SETTINGS:
            raise ConfigError(f"{name} can't be changed while a run trains.", "Set it for a new run.")
        if name not in LIVE_SETTINGS:
            raise ConfigError(f"There is no setting {name}.")


def implied_settings(changes: Mapping[str, Setting], training: TrainingConfig) -> dict[str, Setting]:
    """Return the settings that a user's changes of these ones change, too.

    A user's batch size is used from now on, and a user's interval is one of steps alone. Evaluations before the first
    regular one end where the regular ones get another interval. A limit is the only end of the run. What `changes` name
    themselves is not implied.
    """
    implied: dict[str, Setting] = {}
    if "batch_size" in changes:
        implied["first_batch_size"] = 0
    if changes.keys() & set(INTERVALS):
        implied["pacing"] = "steps"
    if "sample_every" in changes:
        implied["sample_pacing"] = "interval"
    if changes.get("eval_every", training.eval_every) != training.eval_every:
        implied["early_eval_tweets"] = 0
    if training.patience and any(changes.get(name) is not None for name in BUDGETS):
        implied["patience"] = 0
    return {name: value for name, value in implied.items() if name not in changes}


@dataclass(frozen=True, kw_only=True)
class RuntimeConfig:
    """Device, precision and threads as requested; options of this machine. A checkpoint stores `Computation`."""

    device: Device = "auto"
    """cpu, cuda, mps, or auto: the fastest one available."""
    precision: Precision = "auto"
    """float32, bfloat16, or auto: on a CPU the faster one as measured during training, with --seed float32; on a GPU
    bfloat16 if cuDNN supports it."""
    threads: Annotated[int, Between(0, 1024)] = 0
    """CPU threads; 0: measured during training, or with --seed all cores but one, at most 4."""
    deterministic: bool = False
    """Repeat the run bit for bit on a GPU, too, at some cost in speed: slower kernels, sizes by rule, samples and
    evaluations by steps alone. On a CPU it does what --seed does."""
    tensorboard: str | None = None
    """Write scalars, tweets and settings for TensorBoard to DIR/<run>, while the run trains."""

    def __post_init__(self) -> None:
        require_valid(self)


@dataclass(frozen=True, kw_only=True)
class Computation:
    """What computes the steps of a run; a resume on another one is exact to rounding only."""

    device: str
    """The type of the device: cpu, cuda or mps."""
    precision: str
    num_threads: Annotated[int, Between(1)]
    """CPU threads."""
    tuning: Tuning
    """How precision and threads were chosen."""
    world_size: int
    """Number of processes that train together."""

    def __post_init__(self) -> None:
        require_valid(self)
        require("precision", self.precision, "float32 or bfloat16", is_valid=self.precision in {"float32", "bfloat16"})


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything requested for one run."""

    preset: PresetName = "auto"
    """Starting settings: auto fits corpus and budget; tutorial is CSC321 Tutorial 11."""
    from_scratch: bool = False
    """Start from random weights also on a small corpus, where auto starts from those of a shipped model."""
    settings: Mapping[str, bool | int | float | str | tuple[str, ...]] = field(default_factory=dict)
    """Fields of `ModelConfig`, `TrainingConfig` and `SamplingConfig` that override the preset or the checkpoint."""
    corpus: CorpusConfig | None = None
    """The corpus; None is that of the checkpoint, or else the embedded one."""
    runtime: RuntimeConfig = RuntimeConfig()
    """Device, precision and threads."""
    run_name: str | None = None
    """Name of the run and its folder. Default: date and time."""
    checkpoint: str | None = None
    """Start a new run from this checkpoint, a name or a path."""
    resume: str | None = None
    """Continue this run in its own folder; last: the latest run that is not active."""

    @property
    def is_repeatable(self) -> bool:
        """Whether the same command must give the same run: no clock chooses sizes, threads, precision and pacing."""
        return "seed" in self.settings or self.runtime.deterministic

    def __post_init__(self) -> None:
        """Validate every field and every setting. Raises `ConfigError`."""
        require_valid(self)
        for name, value in self.settings.items():
            if name not in _SETTINGS:
                raise ConfigError(f"There is no setting {name}, which was set to {value}.")
        with_settings(ModelConfig(), self.settings)
        with_settings(TrainingConfig(), self.settings)
        is_new = self.resume is None and self.checkpoint is None
        sampling = SamplingConfig() if is_new else SamplingConfig(max_length=MAX_TWEET_CHARS)
        with_settings(sampling, self.settings).require_for_run()
        if self.resume is not None and (self.checkpoint is not None or self.run_name is not None):
            raise ConfigError(
                "--resume continues a run in its own folder; it can't be combined with --checkpoint or --run-name.",
                "Use --checkpoint alone to start a new run from a checkpoint.",
            )
        if self.from_scratch and not is_new:
            raise ConfigError(
                "--from-scratch starts from random weights; it can't be combined with --checkpoint or --resume.",
                "Omit one of them.",
            )
