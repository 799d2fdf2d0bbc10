"""`Alerts`: problems of a run that one key solves. Pure; imports no framework.

An alert is up while its condition holds; dismissed, or once its remedy was sent, it returns only after the condition
was false in between. The rules:

* **not finite**: 3 of the latest 100 steps were skipped, though not in a row: then the run itself goes back to its
  latest checkpoint (`engine.session.restoring`). One skipped step costs nothing, as the weights stay unchanged. Over
  once 100 steps succeeded, or a checkpoint was loaded.
* **diverging**: the smoothed train loss (mean of the middle four fifths of the latest 100 steps) has been above its
  best by 0.3 nats and by a fifth for 200 consecutive steps. A burst of bad batches passes in that time, and noise is
  far smaller. Above ten times its best, 20 steps are enough: it does not recover from there. In the first 500 steps,
  and the first 100 after a load of other weights, the best is the loss of a uniform guess, ln V, so that a run that
  diverges at once is reported too. Over below half of that rise, or once a checkpoint was loaded.
* **disk**: a checkpoint or the journal could not be written. Over once the run reports that both can be written again.
* **validation**: the latest 4 evaluations are all above the best by 1 % or more, and the last is not below the first of
  them. All read the same tweets, so they differ only by the weights, and successive ones by well under 1 %. The remedy
  loads the best weights and finishes; nothing is lost, since `best` stays unchanged and the current weights are saved
  first. A run with `patience` goes back by itself, once; the alert is for the others, and for one that was continued.
* **memory**: the run failed because its device has too little memory to compute even a single tweet. Another program
  may use it; once that has ended, the run can be resumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

from engine.checkpoints.format import MIN_VAL_RISE_SHARE
from engine.errors import DeviceMemoryError
from engine.protocol.commands import Command, LoadCheckpoint, Resume, SaveLatest
from engine.protocol.events import CheckpointLoaded, CommandRefused, Event, RunFailed, Warned
from tui.run.ending import to_finish
from tui.run.view import RunView, is_over
from tui.text.numbers import NATS_PER_UNIT, LossUnit, format_bits

AlertKind = Literal["memory", "not-finite", "diverging", "disk", "validation"]
"""The most urgent first."""

NUM_SKIPPED, SKIPPED_WITHIN_STEPS = 3, 100
MIN_RISE_NATS, MIN_RISE_SHARE = 0.3, 0.2
RISEN_STEPS = 200
FAR_TIMES, FAR_STEPS = 10.0, 20
MIN_STEPS, STEADY_AFTER_STEPS = 500, 100
"""The smoothed loss is an average over 100 steps from then on: of the run, and after a load of other weights."""
NUM_EVALUATIONS = 4


@dataclass(frozen=True, kw_only=True)
class Alert:
    """A problem and its remedy, each in a few words."""

    kind: AlertKind
    text: str
    remedy: str
    """What the key does."""
    commands: tuple[Command, ...] = ()
    """What the key sends; nothing where the remedy is a new session."""


@dataclass(frozen=True, kw_only=True)
class Alerts:
    """The problems of a run so far, and what the user did about them. Immutable: methods return another."""

    up: frozenset[AlertKind] = frozenset()
    """The alerts whose condition holds."""
    dismissed: frozenset[AlertKind] = frozenset()
    """The alerts that the user has dismissed, until their condition is false."""
    remedies: tuple[tuple[AlertKind, Command], ...] = ()
    """Commands that were sent as the remedy of an alert and have not had an effect yet."""
    skipped_steps: tuple[int, ...] = ()
    """The skipped ones among the latest steps."""
    disk_message: str = ""
    best_loss: float | None = None
    """The lowest smoothed loss since the start or the last load; at first that of a uniform guess."""
    risen_since: int | None = None
    """The step since which the smoothed loss has been well above its best."""

    @classmethod
    def of(cls, view: RunView) -> Alerts:
        """Return the alerts that the view alone shows to a client attaching mid-run: disk and memory."""
        alerts = cls()
        for warned in view.warnings:
            alerts = alerts.after(warned) if warned.kind in {"disk", "disk-works"} else alerts
        return alerts if view.ended is None else alerts.after(view.ended)

    def after(self, event: Event, answered: Command | None = None) -> Alerts:
        """Return the alerts after `event`, which answers the command `answered` if any."""
        match event:
            case Warned(kind="not-finite", step=step):
                alerts = replace(self, skipped_steps=(*self.skipped_steps, step)).with_skipped_at(step)
                return alerts.with_up("not-finite") if len(alerts.skipped_steps) >= NUM_SKIPPED else alerts
            case Warned(kind="disk", message=message):
                remedies = tuple(sent for sent in self.remedies if sent[0] != "disk")
                return replace(self, remedies=remedies, disk_message=message).with_up("disk")
            case Warned(kind="disk-works"):
                return self.without("disk")
            case CheckpointLoaded():
                of_disk: frozenset[AlertKind] = frozenset({"disk"})
                up, dismissed = self.up & of_disk, self.dismissed & of_disk
                return Alerts(up=up, dismissed=dismissed, disk_message=self.disk_message)
            case CommandRefused():
                refused = {kind for kind, command in self.remedies if command is answered}
                return replace(self, remedies=tuple(sent for sent in self.remedies if sent[0] not in refused))
            case RunFailed(title=title):
                return Alerts(up=frozenset({"memory"} if title == DeviceMemoryError.title else ()))
            case _:
                return self

    def at(self, view: RunView) -> Alerts:
        """Return the alerts of the run at `view`, once a tick."""
        if view.phase not in {"training", "paused"}:
            return self
        is_rising = _is_validation_rising(view) and not view.is_finishing
        alerts = self.with_up("validation") if is_rising else self.without("validation")
        alerts = alerts.with_skipped_at(view.step)
        return (alerts if alerts.skipped_steps else alerts.without("not-finite")).with_loss_of(view)

    def with_skipped_at(self, step: int) -> Alerts:
        """Return the alerts with only those skipped steps that are among the latest at `step`."""
        latest = {other for other in self.skipped_steps if step - SKIPPED_WITHIN_STEPS < other <= step}
        return replace(self, skipped_steps=tuple(sorted(latest)))

    def with_loss_of(self, view: RunView) -> Alerts:
        """Return the alerts after a check of the train loss."""
        loss = view.smoothed_loss
        if loss is None or view.started is None:
            return self
        best = math.log(view.started.vocab_size) if self.best_loss is None else self.best_loss
        if len(view.train_losses) >= MIN_STEPS and view.step >= view.smoothed_from_step + STEADY_AFTER_STEPS:
            best = min(best, loss)
        rise = max(MIN_RISE_NATS, MIN_RISE_SHARE * best)
        if loss <= best + rise:
            alerts = replace(self, best_loss=best, risen_since=None)
            return alerts.without("diverging") if loss <= best + rise / 2 else alerts
        since = view.step if self.risen_since is None else self.risen_since
        alerts = replace(self, best_loss=best, risen_since=since)
        has_lasted = view.step - since >= (FAR_STEPS if loss > FAR_TIMES * best else RISEN_STEPS)
        return alerts.with_up("diverging") if has_lasted else alerts

    def with_up(self, kind: AlertKind) -> Alerts:
        """Return the alerts with one more whose condition holds."""
        return replace(self, up=self.up | {kind})

    def without(self, kind: AlertKind) -> Alerts:
        """Return the alerts with one over, which can come up again."""
        remedies = tuple(sent for sent in self.remedies if sent[0] != kind)
        return replace(self, up=self.up - {kind}, dismissed=self.dismissed - {kind}, remedies=remedies)

    def shown(self, view: RunView, unit: LossUnit = "bits") -> Alert | None:
        """Return the most urgent alert that is not hidden and has a remedy, with losses in `unit`."""
        hidden = self.dismissed.union(kind for kind, _ in self.remedies)
        if view.started is None:  # there is nothing to resume
            hidden |= {"memory"}
        kind = next((kind for kind in get_args(AlertKind) if kind in self.up - hidden), None)
        if view.is_replay or kind is None:
            return None
        # back to the run's best, or to its latest where it has not been evaluated
        source = "latest" if view.best is None else "best"
        name = f"{view.name or 'last'}/{source}"
        commands: tuple[Command, ...]
        match kind:
            case "memory":
                text, remedy, commands = "The device's memory is used up", "try again from latest", ()
            case "disk":
                text, remedy, commands = self.disk_message, "try saving again", (SaveLatest(),)
            case "validation":
                points = [point for point in (view.last_val, view.best) if point is not None]
                losses = ", best ".join(format_bits(point.bits_per_char, unit) for point in points)
                text, remedy = f"Validation rises: {losses}", f"reload {source} and finish"
                loaded_step = 0 if view.best is None else view.best.step
                resume = (Resume(),) if is_over(view) else ()
                commands = (LoadCheckpoint(name=name), *to_finish(view, loaded_step), *resume)
            case _:
                now, was = ((loss or 0.0) / NATS_PER_UNIT[unit] for loss in (view.smoothed_loss, self.best_loss))
                text = "The loss is not finite" if kind == "not-finite" else f"Loss {now:.1f}, was {was:.1f}"
                remedy = f"reload {source}, halve the learning rate"
                commands = (LoadCheckpoint(name=name, halves_rate=True),)
        return Alert(kind=kind, text=text, remedy=remedy, commands=commands)


def _is_validation_rising(view: RunView) -> bool:
    """Return whether the latest evaluations are all worse than the best, and do not get better."""
    latest = [point.bits_per_char for point in view.val_points[-NUM_EVALUATIONS:] if not point.is_best]
    if view.best is None or len(latest) < NUM_EVALUATIONS or latest[-1] < latest[0]:
        return False
    return min(latest) >= view.best.bits_per_char * (1 + MIN_VAL_RISE_SHARE)
