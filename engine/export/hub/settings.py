"""`config.json` and `generation_config.json`, in the names that their readers expect (transformers' configs)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from engine.checkpoints.format import CheckpointInfo
from engine.config.fields import require
from engine.config.run import ModelConfig, TrainingConfig
from engine.config.sampling import SamplingConfig
from engine.model.vocab import BOS, EOS, PAD, SPECIALS, UNK
from engine.sampling.logits import NEVER_SAMPLED

MODEL_TYPE: Final = "tweetgen-gru"


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The content of `config.json`: what is needed to build the model, and to train on from it."""

    model_type: Literal["tweetgen-gru"] = MODEL_TYPE
    architectures: tuple[str, ...] = ("TextGenerator",)
    torch_dtype: Literal["float32"] = "float32"
    vocab_size: int
    embedding_size: int
    hidden_size: int
    num_hidden_layers: int
    dropout: float = 0.0
    tie_word_embeddings: bool
    ngram_order: int = 0
    ngram_contexts: int = 0
    """Rows of the n-gram input; 0 without one."""
    pad_token_id: Literal[0] = PAD
    bos_token_id: Literal[1] = BOS
    eos_token_id: Literal[2] = EOS
    unk_token_id: Literal[3] = UNK
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        """Check all sizes. Raises `ConfigError`."""
        require("vocab_size", self.vocab_size, f"at least {len(SPECIALS)}", is_valid=self.vocab_size >= len(SPECIALS))
        self.to_model_config()

    @classmethod
    def of(cls, info: CheckpointInfo) -> ModelSettings:
        """Return the settings of a checkpoint's model."""
        return cls(
            vocab_size=len(SPECIALS) + len(info.vocab),
            embedding_size=info.model.embedding_size,
            hidden_size=info.model.hidden_size,
            num_hidden_layers=info.model.num_layers,
            dropout=info.model.dropout,
            tie_word_embeddings=info.model.tied_embeddings,
            ngram_order=info.model.ngram_order,
            ngram_contexts=info.model.ngram_contexts,
            training=replace(info.training, preset_reason=""),
        )

    def to_model_config(self) -> ModelConfig:
        """Return the sizes of the model. Raises `ConfigError` if one is out of range."""
        return ModelConfig(
            embedding_size=self.embedding_size,
            hidden_size=self.hidden_size,
            num_layers=self.num_hidden_layers,
            dropout=self.dropout,
            tied_embeddings=self.tie_word_embeddings,
            ngram_order=self.ngram_order,
            ngram_contexts=self.ngram_contexts,
        )


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """The content of `generation_config.json`."""

    do_sample: bool
    """False is greedy, our temperature of 0."""
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    temperature_last: bool = False
    """Our own: whether the temperature comes after the three filters."""
    max_length: int
    """In tokens, `<BOS>` included."""
    pad_token_id: Literal[0] = PAD
    bos_token_id: Literal[1] = BOS
    eos_token_id: Literal[2] = EOS
    suppress_tokens: tuple[int, ...] = NEVER_SAMPLED

    def __post_init__(self) -> None:
        """Check all numbers. Raises `ConfigError`."""
        self.to_sampling_config()

    @classmethod
    def of(cls, sampling: SamplingConfig) -> GenerationSettings:
        """Return the distribution and length of `sampling`, without its texts."""
        return cls(
            do_sample=sampling.temperature > 0,
            temperature=sampling.temperature or 1.0,
            top_k=sampling.top_k,
            top_p=sampling.top_p,
            min_p=sampling.min_p,
            temperature_last=sampling.temperature_last,
            max_length=1 + sampling.max_length,
        )

    def to_sampling_config(self) -> SamplingConfig:
        """Return the same as our own settings. Raises `ConfigError` if one is out of range."""
        return SamplingConfig(
            temperature=self.temperature if self.do_sample else 0.0,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            temperature_last=self.temperature_last,
            max_length=self.max_length - 1,
        )
