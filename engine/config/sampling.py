"""`SamplingConfig`: the settings of sampled tweets."""

from __future__ import annotations

from dataclasses import dataclass

from engine.config.validation import require, require_between
from engine.text import MAX_CHARS, is_harmless

MIN_TEMPERATURE = 0.05
MAX_TEMPERATURE = 5.0
LADDER_TEMPERATURES = (0.2, 0.5, 0.8, 1.0, 1.5, 2.0, 5.0)


@dataclass(frozen=True, kw_only=True)
class SamplingConfig:
    """How the next character is sampled from the model's distribution."""

    temperature: float = 0.8
    """Sampling temperature, 0.05 to 5: low is repetitive, 1 is the model's own distribution; 0 is greedy."""
    top_k: int = 0
    """Sample from the k most likely characters only; 0 disables."""
    top_p: float = 1.0
    """Sample from the most likely characters with this total probability only (nucleus); 1 disables."""
    min_p: float = 0.0
    """Exclude characters less likely than this share of the most likely one; 0 disables."""
    prime: str = ""
    """Text that every sampled tweet starts with."""
    max_length: int = 140
    """Maximum length of a sampled tweet in characters, the prime included."""

    def __post_init__(self) -> None:
        """Validate every field. Raises `ConfigError`."""
        value: object = self.temperature
        is_valid = isinstance(value, int | float) and (value == 0 or MIN_TEMPERATURE <= value <= MAX_TEMPERATURE)
        allowed = f"0 or a number from {MIN_TEMPERATURE:g} to {MAX_TEMPERATURE:g}"
        require("temperature", value, allowed, is_valid=is_valid)
        require_between(self, "top_k", 0)
        require_between(self, "top_p", 0.001, 1.0)
        require_between(self, "min_p", 0.0, 0.999)
        require_between(self, "max_length", 1, 100_000)
        longest = min(self.max_length - 1, MAX_CHARS)
        allowed = f"shorter than --max-length, {self.max_length}, and at most {MAX_CHARS:,} characters long"
        require("prime", f"{len(self.prime)} characters", allowed, is_valid=len(self.prime) <= longest)
        allowed = "text without control or invisible characters or stacks of accents"
        require("prime", repr(self.prime), allowed, is_valid=is_harmless(self.prime))
