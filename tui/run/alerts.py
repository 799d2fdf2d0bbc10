"""Alerts: what goes wrong with a run that one key can put right. Pure; knows no framework.

An `AlertMonitor` follows a run: `after_event`, and once a tick `after_tick`. An alert is up while its condition holds;
dismissed or answered, it returns only after the condition was false in between. The rules:

* **not finite**: 3 of the latest 100 steps were refused, though not in a row: then the run itself goes back to its
  latest checkpoint (`engine.session.divergence`). One alone is a hiccup that has cost nothing, for the weights stay as
  they are. Over once 100 steps went well, or a checkpoint was loaded.
* **diverging**: the smoothed train loss (the middle four fifths of the latest 100 steps, so that a spike doesn't count)
  has been above its best by 0.3 nats and a fifth for 200 steps on end. A burst of bad batches passes in that time, and
  noise is far smaller. Where it is ten times its best, 20 steps will do: it does not come back from there by itself. In
  the first 500 steps the best is that of blind guessing, ln V, so that a run which goes wrong at once is told too. Over
  below half of that, or once a checkpoint was loaded.
* **disk**: a checkpoint or the journal could not be written. Over once the run says that both can be again.
* **validation**: the latest 4 evaluations are all above the best by 1 % or more, and the last is no better than the
  first of them. All read the same tweets, so they differ by what was learned alone; from one to the next that is well
  under 1 %. The answer goes back to the best weights and finishes there: a falling learning rate usually gains a little
  on them, and nothing is lost, since `best` stays what it is and the weights of now are saved first.
* **memory**: the run failed because its device has no memory left, not even to compute a single tweet. Another program
  may have taken it; once that has ended, the run can go on as it was.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from engine.config.run import RunConfig
from engine.errors import DeviceMemoryError
from engine.protocol.commands import Command, Finish, LoadCheckpoint, SaveLatest
from engine.protocol.events import (
    CheckpointLoaded,
    CommandRefused,
    Event,
    RunFailed,
    Warned,
)
from tui.formatting.numbers import format_bits
from tui.run.view import RunView

AlertKind = Literal["memory", "not-finite", "diverging", "disk", "validation"]

_URGENCY: tuple[AlertKind, ...] = ("memory", "not-finite", "diverging", "disk", "validation")
NUM_REFUSED, REFUSED_WITHIN_STEPS = 3, 100
MIN_RISE_NATS, MIN_RISE_SHARE = 0.3, 0.2
RISEN_STEPS = 200
FAR_TIMES, FAR_STEPS = 10.0, 20
MIN_STEPS = 500
"""Steps seen before the smoothed loss is one of 100 steps."""
NUM_EVALUATIONS, MIN_VAL_RISE_SHARE = 4, 0.01


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something that goes wrong, and the answer to it."""

    kind: AlertKind
    text: str
    """What goes wrong, in few words."""
    answer: str
    """What the key does, in few words."""


@dataclass(frozen=True, kw_only=True)
class AlertMonitor:
    """What is known of a run's troubles."""

    up: frozenset[AlertKind] = frozenset()
    """What is true now."""
    put_aside: frozenset[AlertKind] = frozenset()
    """Those that the user has dismissed."""
    answered: frozenset[AlertKind] = frozenset()
    """Those that the user has answered, and nothing came of it yet."""
    refused_steps: tuple[int, ...] = ()
    """Of the latest steps."""
    disk_message: str = ""
    best_loss: float | None = None
    """The lowest smoothed loss since the start or the checkpoint loaded last; at first that of blind guessing."""
    risen_since: int | None = None
    """The step since which the smoothed loss has been well above its best."""
    last_step: int = 0
    """Of the view seen last."""

    @classmethod
    def for_attached(cls, view: RunView) -> AlertMonitor:
        """Return what is known of a run from its view alone: whether its disk fails, and whether it has failed."""
        watch = cls()
        for warned in view.warnings:
            if warned.kind in {"disk", "journal", "disk-works"}:
                watch = watch.after_event(warned)
        return watch if view.ended is None else watch.after_event(view.ended)

    def after_event(self, event: Event) -> AlertMonitor:
        """Return what is known after `event`."""
        match event:
            case Warned(kind="not-finite", step=step):
                recent = tuple(other for other in self.refused_steps if step - REFUSED_WITHIN_STEPS < other <= step)
                watch = replace(self, refused_steps=tuple(sorted({*recent, step})))
                return watch.with_alert(
                    "not-finite", is_true="not-finite" in self.up or len(watch.refused_steps) >= NUM_REFUSED
                )
            case Warned(kind="disk" | "journal", message=message):
                watch = replace(self, disk_message=message)
                return replace(watch, answered=self.answered - {"disk"}).with_alert("disk", is_true=True)
            case Warned(kind="disk-works"):
                return self.with_alert("disk", is_true=False)
            case CheckpointLoaded():
                of_disk: frozenset[AlertKind] = frozenset({"disk"})
                return AlertMonitor(
                    up=self.up & of_disk,
                    put_aside=self.put_aside & of_disk,
                    disk_message=self.disk_message,
                )
            case CommandRefused():
                return replace(self, answered=frozenset())
            case RunFailed(title=title):
                return replace(AlertMonitor(), up=frozenset({"memory"} if title == DeviceMemoryError.title else ()))
            case _:
                return self

    def after_tick(self, view: RunView) -> AlertMonitor:
        """Return what is known of the run that `view` shows, which has gone on since the last time."""
        if view.phase not in {"training", "paused"}:
            return self
        watch = self.with_alert("validation", is_true=_is_validation_rising(view) and not view.is_finishing)
        if view.step == self.last_step:
            return watch
        refused = tuple(step for step in self.refused_steps if view.step - REFUSED_WITHIN_STEPS < step <= view.step)
        watch = replace(watch, last_step=view.step, refused_steps=refused)
        watch = watch if refused else watch.with_alert("not-finite", is_true=False)
        return _with_loss(watch, view)

    def with_alert(self, kind: AlertKind, *, is_true: bool) -> AlertMonitor:
        """Return this with an alert up or over; one that is over can be told again."""
        if is_true == (kind in self.up):
            return self
        gone = frozenset({kind})
        if is_true:
            return replace(self, up=self.up | gone)
        return replace(self, up=self.up - gone, put_aside=self.put_aside - gone, answered=self.answered - gone)

    def with_dismissed(self, alert: Alert) -> AlertMonitor:
        """Return this with an alert put aside until it was over."""
        return replace(self, put_aside=self.put_aside | {alert.kind})

    def with_answered(self, alert: Alert) -> AlertMonitor:
        """Return this with an alert put aside until its answer has been followed or refused."""
        return replace(self, answered=self.answered | {alert.kind})

    def alert(self, view: RunView, config: RunConfig) -> Alert | None:
        """Return the most urgent alert that is to be shown."""
        if view.is_replay:
            return None
        kinds = (kind for kind in _URGENCY if kind in self.up and kind not in self.put_aside | self.answered)
        alerts = (self._alert_of(kind, view, config) for kind in kinds)
        return next((alert for alert in alerts if alert is not None), None)

    def _alert_of(self, kind: AlertKind, view: RunView, config: RunConfig) -> Alert | None:
        """Return how an alert is told; None where there is no answer to it."""
        source = name_to_reload(view).rpartition("/")[2]
        match kind:
            case "memory":
                if config_to_go_on(view, config) is None:
                    return None
                return Alert(kind=kind, text="The device's memory is used up", answer="try again from latest")
            case "not-finite":
                answer = f"reload {source}, halve the rate"
                return Alert(kind=kind, text="The loss is not finite", answer=answer)
            case "diverging":
                text = f"Diverging: loss {view.smoothed_loss or 0.0:.1f}, was {self.best_loss or 0.0:.1f}"
                return Alert(kind=kind, text=text, answer=f"reload {source}, halve the rate")
            case "disk":
                return Alert(kind=kind, text=self.disk_message, answer="try saving again")
            case "validation":
                last, best = view.last_val, view.best
                bits = (
                    f"{format_bits(last.bits_per_char)}, best {format_bits(best.bits_per_char)}"
                    if last and best
                    else ""
                )
                return Alert(kind=kind, text=f"Validation rises: {bits}", answer=f"reload {source} and finish")


def _with_loss(watch: AlertMonitor, view: RunView) -> AlertMonitor:
    """Return what is known once the train loss was looked at."""
    loss = view.smoothed_loss
    if loss is None or view.started is None:
        return watch
    best = math.log(view.started.vocab_size) if watch.best_loss is None else watch.best_loss
    best = min(best, loss) if len(view.train_losses) >= MIN_STEPS else best
    rise = max(MIN_RISE_NATS, MIN_RISE_SHARE * best)
    if loss <= best + rise:
        watch = replace(watch, best_loss=best, risen_since=None)
        return watch.with_alert("diverging", is_true=False) if loss <= best + rise / 2 else watch
    since = view.step if watch.risen_since is None else watch.risen_since
    needed = FAR_STEPS if loss > FAR_TIMES * best else RISEN_STEPS
    is_true = "diverging" in watch.up or view.step - since >= needed
    return replace(watch, best_loss=best, risen_since=since).with_alert("diverging", is_true=is_true)


def _is_validation_rising(view: RunView) -> bool:
    """Return whether the latest evaluations are all worse than the best, and do not get better."""
    latest = [point.bits_per_char for point in view.val_points[-NUM_EVALUATIONS:] if not point.is_best]
    if view.best is None or len(latest) < NUM_EVALUATIONS or latest[-1] < latest[0]:
        return False
    return min(latest) >= view.best.bits_per_char * (1 + MIN_VAL_RISE_SHARE)


def name_to_reload(view: RunView) -> str:
    """Return the checkpoint to go back to: the run's best, or its latest where it has not been evaluated."""
    run = view.started.run if view.started is not None else "last"
    return f"{run}/best" if view.best is not None else f"{run}/latest"


def commands_for(alert: Alert, view: RunView) -> Iterator[Command]:
    """Yield the commands that answer an alert; none for one that only another run answers."""
    match alert.kind:
        case "memory":
            return
        case "disk":
            yield SaveLatest()
        case "validation":
            yield LoadCheckpoint(name=name_to_reload(view))
            yield Finish()
        case "not-finite" | "diverging":
            yield LoadCheckpoint(name=name_to_reload(view), halves_rate=True)


def config_to_go_on(view: RunView, config: RunConfig) -> RunConfig | None:
    """Return the config that goes on from the latest checkpoint of a run; None where there is nothing to go on from."""
    return None if view.started is None else RunConfig(resume=view.started.run, runtime=config.runtime)
