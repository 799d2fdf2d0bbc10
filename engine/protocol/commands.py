"""Commands: what a session executes between two steps, and while it is paused.

Each is a frozen struct with an exact JSON form, like the events that answer it. A command that can't be executed is
answered by `CommandRefused` and changes nothing. Questions about the model are in `engine.protocol.insight`.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from engine.config.fields import field_names
from engine.config.sampling import LADDER_TEMPERATURES, SamplingConfig
from engine.protocol.codec import Integer, Number, Settings


class Command(msgspec.Struct, frozen=True, kw_only=True, tag_field="command", tag=True):
    """Base of all commands."""

    is_query: ClassVar[bool] = False
    """Whether it changes nothing, so that it can be executed in the middle of an evaluation."""

    def is_immediate(self) -> bool:
        """Return whether it is executed whenever it arrives, ahead of those that wait."""
        return False


class Pause(Command, frozen=True):
    """Pause training; answered by `Paused`, unless it is paused already."""


class Resume(Command, frozen=True):
    """Continue training; answered by `Resumed`, unless it is not paused."""


class Stop(Command, frozen=True, kw_only=True):
    """Save `latest` and end the run, ahead of all queued queries; answered by `RunFinished`."""

    reason: str = "stopped"
    """The reason of `RunFinished`, unless the run has reached its end."""
    unless_unsaved: bool = False
    """Whether to refuse where `latest` can't be saved, so that the user can decide."""


class ChangeSettings(Command, frozen=True, kw_only=True):
    """Change settings while the run continues: all of them, or none if it is refused. Answered by `SettingsChanged`.

    Which settings it may change is `engine.config.run.LIVE_SETTINGS`. A changed budget, counted from the run's first
    step, cancels a planned finish and leaves a paused run paused; it is refused where the run would end at once. A
    schedule that depends on the budget continues at the used share of the new one: a cosine that had ended returns to
    a higher rate.
    """

    settings: Settings
    """The new values by name; null for a budget is no limit."""

    def is_immediate(self) -> bool:
        """Return whether it changes sampling alone: then it is used from the next character on, within a tweet, too."""
        return self.settings.keys() <= field_names(SamplingConfig)


class Finish(Command, frozen=True, kw_only=True):
    """Anneal the learning rate to zero over 10 % of the steps so far, at least 20, then stop.

    Answered by `FinishPlanned`.
    """

    on: bool = True
    """False cancels that."""


class TakeStep(Command, frozen=True):
    """Take one step and pause again; answered by `Resumed`, `StepsFinished`, `StepTaken` and `Paused`.

    Refused unless the run is paused. A step that is skipped has no `StepTaken`, one that ends the run no `Paused`.
    """


class SaveCheckpoint(Command, frozen=True, kw_only=True):
    """Save under a name; answered by `CheckpointSaved`. Refused where the name is taken and `replace` is false."""

    name: str
    replace: bool = False


class SaveLatest(Command, frozen=True):
    """Save the run's own `latest` now; answered by `CheckpointSaved`, or a `Warned`: "disk" or "not-finite"."""


class LoadCheckpoint(Command, frozen=True, kw_only=True):
    """Continue from a checkpoint, by name or path; answered by `CheckpointLoaded`."""

    name: str
    halves_rate: bool = False
    """Whether to continue at half the checkpoint's learning rate; `SettingsChanged` follows then."""


class SampleNow(Command, frozen=True, kw_only=True):
    """Sample a tweet now; answered by `TweetSampled`."""

    is_query: ClassVar[bool] = True
    prime: str | None = None
    """The text to begin with; None: the run's prime."""
    draw: Integer | None = None
    """The `draw` of a `CompleteText`, at least 0: with the same weights, the tweet begins with its completion. None: a
    new random tweet."""


class CompleteText(Command, frozen=True, kw_only=True):
    """Continue a text with the current weights; answered by `TextCompleted`."""

    is_query: ClassVar[bool] = True
    text: str
    request: Integer = 0
    """Any number; identifies the answer."""
    draw: Integer = 0
    """At least 0; another one gives another random continuation."""


class ReadTweet(Command, frozen=True, kw_only=True):
    """Predict along a text, and find the training tweet nearest to it; answered by `TweetRead`."""

    is_query: ClassVar[bool] = True
    text: str


class SampleLadder(Command, frozen=True, kw_only=True):
    """Sample one tweet per temperature from the same seed and prime; answered by `LadderSampled`."""

    is_query: ClassVar[bool] = True
    seed: Integer
    prime: str = ""
    temperatures: tuple[Number, ...] = LADDER_TEMPERATURES
