"""`RunModel`: the run on a screen: its view, the commands not answered yet, and its alerts. Imports no framework."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Literal

from engine.config.run import MAX_LEARNING_RATE, MIN_LEARNING_RATE, Setting
from engine.config.sampling import MAX_TEMPERATURE, MIN_TEMPERATURE
from engine.protocol.commands import ChangeSettings, Command, Pause, Resume, TakeStep
from engine.protocol.events import Event
from engine.protocol.insight import Question
from engine.text import quoted
from tui.run import replay
from tui.run.alerts import Alert, Alerts
from tui.run.connection import RunConnection
from tui.run.fold import fold, with_changes
from tui.run.pending import Pending
from tui.run.view import RunView, is_over
from tui.text.numbers import LossUnit

_SessionNeed = Literal["steering", "switching", "pausing", "commands", "answers", "steps to come", "a run to leave"]
Need = Literal[_SessionNeed, "an alert", "a tweet", "a prime", "a change", "steps", "files", "a terminal"]
"""What an action needs: that this screen may change the run (`steering`) or choose another one (`switching`), a session
that pauses (also a replay), that accepts commands, or that answers questions (also a read-only screen's). `files` are
those of the machine that runs the program, which a read-only browser must not read or write."""
Severity = Literal["information", "warning"]

TEMPERATURE_STEP = 0.05
LEARNING_RATE_FACTOR = 10**0.1
"""The factor of one step of the learning rate: ten steps are a factor of ten."""


def next_temperature(temperature: float, direction: int) -> float:
    """Return the temperature one step up (1) or down (-1)."""
    return min(max(round(temperature + direction * TEMPERATURE_STEP, 2), MIN_TEMPERATURE), MAX_TEMPERATURE)


def next_learning_rate(rate: float, direction: int) -> float:
    """Return the peak learning rate one step up (1) or down (-1)."""
    return min(max(float(f"{rate * LEARNING_RATE_FACTOR**direction:.6g}"), MIN_LEARNING_RATE), MAX_LEARNING_RATE)


class RunModel:
    """View, unanswered commands and alerts of the run on a screen. For the screen's thread."""

    def __init__(self, connection: RunConnection, view: RunView) -> None:
        """Show `view` until the first events."""
        self.connection = connection
        self.view = view
        """The run after the events so far."""
        self.pending = Pending()
        self.alerts = Alerts.of(view) if connection.is_remote else Alerts()
        self.num_gaps = 0
        """How often events were missed: answers to questions may be among them."""
        self.is_ending = False
        """Whether the session was asked to end."""
        self.end_reason = ""
        """Why it was asked to end; empty before that, and once it has refused."""
        self.toast: Callable[[str, Severity], None] = lambda _text, _severity: None
        """Shows a line on the screen for some seconds; set by the screen, as is `on_sent`."""
        self.on_sent: Callable[[], None] = lambda: None
        """Called after each command, so that its effect is drawn at once."""
        self._interruption = ""
        """Why the connection was interrupted at the last drain; empty where it was not."""
        self._has_paused_to_step = False
        self._shown = view
        self._causes_of_shown = (view, self.pending, self._interruption)

    @property
    def shown(self) -> RunView:
        """The view with the settings that were sent and are not answered yet; starting while it is interrupted.

        The same object until the run, the settings or the connection change.
        """
        causes = (self.view, self.pending, self._interruption)
        view, pending, interruption = self._causes_of_shown
        if view is not self.view or pending is not self.pending or interruption != self._interruption:
            view = with_changes(self.view, self.pending.settings)
            is_cut_off = self._interruption and not is_over(view)
            self._causes_of_shown = causes
            self._shown = replace(view, phase="starting") if is_cut_off else view
        return self._shown

    @property
    def has_model(self) -> bool:
        """Whether a session answers questions about the run's model."""
        view = self.view
        return view.phase in {"training", "paused"} and not view.is_replay and not self.is_ending

    @property
    def is_at_end(self) -> bool:
        """Whether the run is paused because its budget is used up, so that it can be continued with a larger one."""
        return self.view.shown_phase != self.view.phase

    @property
    def step_note(self) -> str:
        """How to go on where the run was paused to take single steps; empty elsewhere."""
        is_paused = self._has_paused_to_step and self.view.shown_phase == "paused"
        return "paused: . takes one step, space resumes" if is_paused else ""

    def drain(self) -> tuple[Event, ...]:
        """Fold the events since the last call into the view; return those that a screen has to react to."""
        update = self.connection.drain()
        before, self._interruption = self._interruption, self.connection.interruption
        if self._interruption and not before and not self.is_ending:
            self.toast(self._interruption, "warning")
        elif before and not self._interruption and self.pending.commands:
            self.toast("The last key before the interruption may have had no effect.", "warning")
        events = update.events
        if update.view is not None:  # events were missed: answers to what is pending may be among them
            events = (*_missed(self.view, update.view), *events)
            self.view, self.num_gaps = update.view, self.num_gaps + 1
            self.pending, self.alerts = Pending(changes=self.pending.changes), Alerts.of(update.view)
        self.view = fold(self.view, update.events)
        for event in update.events:
            self.pending, answered = self.pending.after(event)
            self.alerts = self.alerts.after(event, answered)
        self.alerts = self.alerts.at(self.view)
        return events

    def refusal_of(self, command: Command) -> str:
        """Return why a command can't be sent now, as a sentence; empty if it can."""
        need: Need = "answers" if isinstance(command, Question) else "commands"
        return unmet_needs(self).get("pausing" if isinstance(command, Pause | Resume) else need, "")

    def send(self, command: Command) -> bool:
        """Send a command, and show at once what it changes; notify the user and return False if it can't be sent.

        Requests that no key asks for, such as the completion of a prompt, go to `connection.send`: their senders show
        refusals in their own way.
        """
        if reason := self.refusal_of(command):
            self.toast(reason, "information")
            return False
        self._send(command, self.pending.sent(command, self.shown))
        return True

    def _send(self, command: Command, pending: Pending) -> None:
        self.pending = pending
        self.connection.send(command)
        self.on_sent()

    def change(self, **settings: Setting) -> bool:
        """Change those of these settings that differ; return whether a command was sent."""
        now = self.shown.settings
        changed = {name: value for name, value in settings.items() if now[name] != value}
        return bool(changed) and self.send(ChangeSettings(settings=changed))

    def undo(self) -> str:
        """Undo the last change of settings, and return what that restores; empty if nothing was undone."""
        pending, change = self.pending.undone()
        if change is None or self.refusal_of(change.inverse):
            return ""
        self._send(change.inverse, pending)
        return change.description

    def toggle_pause(self) -> None:
        """Pause or resume, whichever is not reached or pending."""
        self._has_paused_to_step = False
        self.send(self.pending.pause_toggled(self.view))

    def take_step(self) -> None:
        """Take one step while paused, one at a time; while training, pause instead."""
        if any(isinstance(command, TakeStep) for command in self.pending.commands):
            return
        toggled = self.pending.pause_toggled(self.view)
        if isinstance(toggled, Pause):
            self._has_paused_to_step = self.send(toggled)
        else:
            self.send(TakeStep())

    def alert(self, unit: LossUnit = "bits") -> Alert | None:
        """Return the alert to show, with losses in `unit`."""
        return self.alerts.shown(self.view, unit)

    def answer(self, alert: Alert) -> None:
        """Send the remedy of an alert, which is hidden then."""
        sent = [(alert.kind, command) for command in alert.commands if self.send(command)]
        self.alerts = replace(self.alerts, remedies=(*self.alerts.remedies, *sent))

    def dismiss(self, alert: Alert) -> None:
        """Hide an alert until the problem recurs."""
        self.alerts = replace(self.alerts, dismissed=self.alerts.dismissed | {alert.kind})


def _missed(before: RunView, view: RunView) -> list[Event]:
    """Return those of the events missed before a view replaced another that the screen has to react to."""
    started = [view.started] if before.started is None and view.started is not None else []
    ended = [view.ended] if before.ended is None and view.ended is not None else []
    return [*started, *(warned for warned in view.warnings if warned not in before.warnings), *ended]


def unmet_needs(run: RunModel, *, has_tweet: bool = True, is_in_browser: bool = False) -> dict[Need, str]:
    """Return which needs are not met now, each with the reason as a sentence.

    `has_tweet`: a tweet is selected, or there is a newest one.
    """
    view, refusal, silence = run.view, run.connection.refusal, _silence(run)
    ending, a_replay = "The run is ending." if run.is_ending else "", replay.REASON if view.is_replay else ""
    has_run_to_leave = not view.is_replay and view.phase not in {"finished", "failed"}
    reasons: dict[Need, str] = {
        "steering": refusal or run.connection.interruption,
        "switching": ending or refusal,
        "pausing": ending or refusal or silence,
        "commands": ending or refusal or silence or a_replay,
        "answers": ending or silence or a_replay,
        "steps to come": "No step is left to take: space continues the run." if run.is_at_end else "",
        "a run to leave": "" if has_run_to_leave else "No run is left to continue without a screen; q quits.",
        "an alert": "" if run.alert() else "No alert to answer.",
        "a tweet": "" if has_tweet else "There is no tweet yet: g samples one.",
        "a prime": "" if run.shown.sampling.prime else "No prime is set.",
        "a change": "" if run.pending.changes else "Nothing to undo.",
        "steps": "" if len(view.train_losses) else "There is no step to plot yet.",
        "files": refusal if is_in_browser else "",
        "a terminal": "It needs a terminal: tweetgen-tui lesson." if is_in_browser else "",
    }
    return {need: reason for need, reason in reasons.items() if reason}


def _silence(run: RunModel) -> str:
    """Return why no session answers; empty if one does."""
    view = run.view
    match view.phase:
        case "starting":
            return "The run is still starting."
        case "failed":
            return "The run has failed; q quits, o opens other tweets."
        case "finished" if view.name:
            what = "The replay is over" if view.is_replay else "The run has ended"
            resume = f"tweetgen-tui --resume {quoted(view.name)}"
            return f"{what}; {resume} continues the run, o opens other tweets, q quits."
        case "finished":
            return "The run has ended; q quits, o opens other tweets."
        case "training" | "paused":
            return run.connection.interruption


def first_reason(needs: Iterable[Need], unmet: Mapping[Need, str]) -> str:
    """Return the reason of the first of these needs that is not met; empty if all are."""
    return next((unmet[need] for need in needs if need in unmet), "")
