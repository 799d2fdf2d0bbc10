"""`MainScreen`: the panels over one run, the tick that folds its events into a view, and the keys that act on both.

A key becomes a command or a dialog; what a command changes comes back as events, which the tick posts to every open
screen. What neither panels nor dialogs show of them, `report` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, get_args

from textual import getters, on, work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.events import Paste
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.widgets import Input, Static

from engine.config.run import Setting
from engine.protocol import events as e
from engine.protocol.commands import SampleNow
from engine.protocol.insight import Insight, MeasureBaselines
from engine.text import sanitize_line
from tui.dialogs.ask import Question, show_error
from tui.dialogs.base import RunDialog, RunUpdated
from tui.dialogs.settings import FilterDialog
from tui.dialogs.tweets import LadderDialog, TweetDialog
from tui.process.threads import on_own_thread
from tui.run import replay
from tui.run.marks import has_all, newly_crossed
from tui.run.model import Need, RunModel, first_reason, unmet_needs
from tui.run.new_run import OverlayCurve, curve_before
from tui.run.pending import Interval, interval_settings
from tui.run.summary import end_notification, why_no_levels
from tui.run.view import RunView, is_over
from tui.settings.key_table import MAIN_KEYS
from tui.settings.keys import bindings_of, mapped
from tui.settings.preferences import Changes
from tui.terminal import sequences
from tui.text.typed import dropped_path
from tui.widgets.bars import AlertBar
from tui.widgets.feed.feed import TweetFeed
from tui.widgets.key_bar import KeyBar
from tui.widgets.line_input import PromptInput
from tui.widgets.panels import Pace, Panels
from tui.widgets.plot.plot import LossPlot
from tui.widgets.prompt_line import PromptLine
from tui.widgets.status.stage_hint import StageHint

if TYPE_CHECKING:
    from tui.app.app import TweetgenApp

TICK_SECONDS = 0.1
_ENDING_TICK_SECONDS = 0.02
QUIET_SECONDS = 3.0
"""The same toast is not shown twice within this time."""
_MEASURE_BASELINES = MeasureBaselines(request=1_000_008)
"""Sent on a read-only screen, too."""
_QUESTIONS = {"ShowBatch", *(kind.__name__ for kind in Insight.__subclasses__())}
"""Commands whose refusals only the screen that asked shows, and no other once that is closed."""


class MainScreen(Screen[None]):
    """Show a run, and steer it."""

    AUTO_FOCUS = "TweetFeed"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(MAIN_KEYS, can_change=True)
    panels = getters.query_one(Panels)
    feed = getters.query_one(TweetFeed)
    plot = getters.query_one(LossPlot)
    _prompt = getters.query_one(PromptLine)
    if TYPE_CHECKING:
        app = getters.app(TweetgenApp)

    def __init__(self, run: RunModel, clock: Callable[[], float] = time.monotonic, pace: Pace | None = None) -> None:
        """Show `run`, whose connection is started once the screen is up. The panels draw at `pace`."""
        super().__init__()
        self.run = run
        run.toast, run.on_sent = self.toast, lambda: self.panels.show_status(run.shown)
        self.invitation = ""
        """Shown while the run starts."""
        self.overlay: OverlayCurve | None = None
        """The curve of another run, shown beside that of this one."""
        self._clock, self._pace = clock, pace
        self._last_toast = ("", 0.0)
        self._waiting: list[Question] = []
        """Results and failures that are not shown yet."""
        self._measuring: e.RunStarted | None = None
        """The start of the session that was last asked to measure the reference levels of the plot."""
        self._levels_refusal = ""
        """Why the session has not measured them; empty unless it has refused."""
        self._crossings_from_step = run.view.step
        """Crossings of levels at earlier steps are not reported: they are of another session, or were missed."""

    @property
    def opening_keys(self) -> set[str]:
        """The keys that open a line or a dialog: those that pause and finish, too, once the run is over."""
        opening = {"pause", "finish"} if self.run.is_at_end else set()
        keys = mapped(MAIN_KEYS, self.app.store.preferences.keys)
        return {name for key in keys if key.opens or key.name in opening for name in key.keys.split(",")}

    @property
    def unmet(self) -> dict[Need, str]:
        """The needs of keys that are not met now, each with its reason."""
        has_tweet = any(feed.chosen is not None for feed in self.query(TweetFeed))  # there is none before the layout
        return unmet_needs(self.run, has_tweet=has_tweet, is_in_browser=self.app.is_web)

    def compose(self) -> ComposeResult:
        yield Panels(self._pace)
        yield Static("At least 40 columns and 12 rows are needed. The run continues.", markup=False, id="too-small")

    def on_mount(self) -> None:
        preferences = self.app.store.preferences
        self.run.connection.start()
        self.panels.map_keys(preferences.keys)
        self.query_one(StageHint).invitation = self.invitation
        self.plot.shows_levels = preferences.levels
        self.plot.overlay = self.overlay
        self.watch(self.plot, "shows_levels", self._show_or_hide_levels, init=False)
        # attached or resumed: tweets can be pinned before its start, or that is no event any more
        if name := self.run.view.name:
            self._open_files_of(name)
        self._ending_timer = self.set_interval(_ENDING_TICK_SECONDS, self.tick, pause=True)
        self.tick()
        self.set_interval(TICK_SECONDS, self.tick)
        if self.run.connection.welcome:
            self.toast(self.run.connection.welcome)

    def _open_files_of(self, name: str) -> None:
        """Read the pins of the run `name`, and the curve to compare with of a branch that is attached to or resumed."""
        self.app.pins.open(name)
        if self.run.view.branched_from and self.plot.overlay is None:
            self._show_curve_before(self.run.view.branched_from)

    @work
    async def _show_curve_before(self, checkpoint: str) -> None:
        """Show the curve of the run that saved a checkpoint, unless the name means one of this run by now."""
        curve = await on_own_thread(partial(curve_before, checkpoint))
        if curve is not None and curve.run != self.run.view.name:
            self.plot.overlay = curve

    def tick(self) -> None:
        """Fold what happened since the last tick into the view, and show it."""
        run, connection = self.run, self.run.connection
        has_ended, before = not connection.is_alive, run.view  # read before draining, so that no last event is missed
        events = run.drain()
        if self.app.screen is self or self.app.screen.is_modal:
            # Textual (8.2) would repaint all of a whole screen for each cell drawn below it
            self.panels.tick(run)
        self.show_alert()
        unmet = self.unmet
        self.query_one(KeyBar).unmet = unmet
        for screen in self.app.screen_stack[1:]:  # a message to Textual's own first one would repaint the whole screen
            screen.post_message(RunUpdated(events, unmet))
        for event in events:
            self.report(event)
        self._show_waiting_dialog()
        self.app.leaving.tick(has_ended=has_ended)
        self._follow_levels(before)
        if is_over(run.view) and not is_over(before) and not run.is_ending and not run.view.is_replay:
            text, chosen = end_notification(run.view, self.app.loss_unit), self.app.store.preferences
            self.app.notifications.notify(text, with_bell=chosen.bell, on_desktop=chosen.desktop)
        if run.is_ending:
            self._prompt.action_close_line()
        elif run.view.phase in {"training", "paused"}:  # open after the end, too: the next keys are meant for it
            self._prompt.tick(run.shown)

    def report(self, event: e.Event) -> None:  # noqa: C901, PLR0912 - one case per kind of event
        """Show what panels and dialogs don't show of an event."""
        match event:
            case e.CommandRefused():
                self._report_refusal(event)
            case e.CheckpointSaved() | e.CheckpointLoaded():
                self.app.files.report(event)
            case e.Warned(kind="outcome", message=message):
                self._waiting.append(Question("The run on one tweet", message, {}, look="message"))
            case e.Warned(kind="finished"):
                pass  # the end bar shows it
            case e.Warned(kind=kind, message=message):
                self.toast(message, "information" if kind == "disk-works" else "warning")
            case e.RunFinished() | e.RunFailed():
                self._prompt.show_refusal("No model is running to complete the prompt.")
                if isinstance(event, e.RunFailed) and not self.run.is_ending:
                    alert = self.run.alert()
                    remedy = {"a": alert.remedy} if alert is not None and alert.kind == "memory" else {}
                    answers = {**remedy, "o": "open other tweets"}
                    self._waiting.append(Question(event.title, event.detail, answers, event.hint, "error"))
            case e.RunStarted(run=name):
                self._open_files_of(name)
            case e.FinishPlanned(last_step=None):
                self.toast("Finish cancelled: the learning rate follows its schedule again.")
            case e.FinishPlanned(step=step, last_step=int(last_step)) if last_step > step:
                self.toast(f"Finishing: the learning rate falls to zero until step {last_step:,}. f cancels.")
            case e.ThreadsChanged(message=message):
                self.toast(f"The steps now run in {message}.")
            case e.TextCompleted():
                self._prompt.show(event)
            case _:
                pass

    def _report_refusal(self, refusal: e.CommandRefused) -> None:
        """Show a refusal that no open dialog shows: as a toast, or in a dialog."""
        if refusal.command == "Stop":
            self.app.leaving.confirm_unsaved_exit(refusal)
        elif refusal.command == "CompleteText":
            self._prompt.show_refusal(refusal.detail)
        elif refusal.command == "MeasureBaselines":
            self._levels_refusal = refusal.detail  # reported once the user asks for them
        elif refusal.command in _QUESTIONS or any(
            isinstance(screen, RunDialog) and screen.shows(refusal) for screen in self.app.screen_stack
        ):
            pass
        elif refusal.command == "Finish" or refusal.title == replay.TITLE:  # often: dialogs would be in the way
            self.toast(refusal.detail)
        else:
            show_error(self.app, refusal)

    async def _answer_failure(self, answer: str | None) -> None:
        if answer is not None:
            await self.app.run_action("files.open" if answer == "o" else "steering.answer_alert")

    # Messages ---------------------------------------------------------------------------------------------------------

    def toast(self, text: str, severity: SeverityLevel = "information") -> None:
        """Show a line for a few seconds, unless it has just been shown."""
        shown, at = self._last_toast
        if text != shown or self._clock() - at > QUIET_SECONDS:
            self._last_toast = (text, self._clock())
            self.notify(sanitize_line(text), severity=severity, markup=False)

    def refuses(self, *needs: Need) -> bool:
        """Show why the first unmet need is not met, and drop the keys typed right after; else return False."""
        if reason := first_reason(needs, self.unmet):
            self.toast(reason)
            self.app.typing_ahead.drop()  # they are for what the action would have opened
        return bool(reason)

    def show_alert(self) -> None:
        self.query_one(AlertBar).show(self.run.alert(self.app.loss_unit))

    def show_notice(self, notice: str) -> None:
        """Show a notice in place of the keys while the run ends, and tick more often; for "" no more."""
        self.query_one(KeyBar).notice = notice
        if notice:
            self._ending_timer.resume()
        else:
            self._ending_timer.pause()

    def _show_waiting_dialog(self) -> None:
        """Show the next dialog that waits: a failure over any other, a result over none, and neither into a line."""
        screen = self.app.screen
        if isinstance(screen.focused, Input):
            return
        for dialog in self._waiting:
            if screen is self or dialog.has_class("-error"):
                self._waiting.remove(dialog)
                self.app.push_screen(dialog, self._answer_failure)
                return

    def _follow_levels(self, before: RunView) -> None:
        """Have a session measure the reference levels once it trains; report the hardest one crossed since `before`.

        While they are hidden, nothing is asked and nothing reported.
        """
        run, view = self.run, self.run.view
        if view.started is not before.started:  # another session, or events were missed
            self._crossings_from_step, self._levels_refusal = view.step, ""
        if not self.plot.shows_levels:
            return
        is_missing = not view.is_overfit and not has_all(view.baselines)
        if is_missing and run.has_model and view.step > 0 and self._measuring is not view.started:
            self._measuring = view.started
            run.connection.send(_MEASURE_BASELINES)
        if crossed := newly_crossed(before.baselines, view.baselines, self._crossings_from_step):
            self.toast(crossed.sentence)

    def _show_or_hide_levels(self, is_shown: bool) -> None:  # noqa: FBT001 - a watcher's signature
        self.app.store.change({"levels": is_shown})
        if not self.run.view.baselines:
            self.toast(why_no_levels(self.run.view, self._levels_refusal) if is_shown else "Reference levels are off.")
        if is_shown and self._levels_refusal:
            self._measuring, self._levels_refusal = None, ""

    def apply_preferences(self, changes: Changes) -> None:
        if "levels" in changes:
            self.plot.shows_levels = self.app.store.preferences.levels
        settings: dict[str, Setting] = {}
        for name in get_args(Interval):
            if isinstance(steps := changes.get(name), int):
                settings |= interval_settings(name, steps)
        if "commands" not in self.unmet:
            self.run.change(**settings)

    # Keys of sampling and tweets --------------------------------------------------------------------------------------

    def action_sample(self, prime: str | None = None, draw: int | None = None) -> None:
        if self.run.send(SampleNow(prime=prime, draw=draw)):
            self.panels.await_tweet(self.run.view)

    def action_ladder(self) -> None:
        self.app.push_screen(LadderDialog(self.run))

    def action_filter(self) -> None:
        self.app.push_screen(FilterDialog(self.run))

    def action_clear_prime(self) -> None:
        if self.run.change(prime=""):
            self.toast("Prime cleared.")

    def action_prompt(self) -> None:
        self._prompt.open(self.run.shown)

    @on(PromptLine.CompletionRequested)
    def _complete_prompt(self, message: PromptLine.CompletionRequested) -> None:
        self.run.connection.send(message.command)

    @on(PromptLine.Submitted)
    def _sample_from_prompt(self, message: PromptLine.Submitted) -> None:
        self.action_sample(message.text, message.draw)

    @on(PromptInput.XrayRequested)
    def _open_xray_of_prompt(self, message: PromptInput.XrayRequested) -> None:
        self._open_xray(message.text)

    @on(TweetFeed.Opened)
    def _open_tweet(self, message: TweetFeed.Opened) -> None:
        tweet, pins = message.tweet, self.app.pins
        if self.app.screen is not self:  # a key pressed twice at once
            return
        dialog = TweetDialog(
            self.run, tweet, partial(pins.toggle, tweet), partial(self._open_xray, tweet.text), is_pinned=tweet in pins
        )
        self.app.ask(dialog, self._follow_feed)

    def _follow_feed(self, _continued: e.TweetSampled) -> None:
        """Show the newest tweets: one with another end was requested in a dialog."""
        self.feed.action_follow()
        self.panels.await_tweet(self.run.view)

    def action_copy(self) -> None:
        if tweet := self.feed.chosen:
            sequences.copy(self.app, tweet.text)
            self.toast(sequences.COPIED)

    def action_pin(self) -> None:
        if tweet := self.feed.chosen:
            self.app.pins.toggle(tweet)

    # Keys that look into the model ------------------------------------------------------------------------------------

    def action_show_batch(self) -> None:
        from tui.dialogs.batch import BatchDialog  # not at the start: it has some 10 modules

        self.app.push_screen(BatchDialog(self.run))

    def action_open_xray(self) -> None:
        """Open the X-ray of the selected tweet, or else the newest.

        An untrained model writes noise: in its place, and without any tweet, a training tweet is shown as soon as a
        batch is known; where there will be none, a text is typed.
        """
        tweet = self.feed.chosen
        is_noise = tweet is None or (tweet.step == 0 and not self.feed.is_highlighting)
        if is_noise and (self.run.has_model or self.run.view.phase == "starting"):
            self._open_xray("", awaits_tweet=True)
        else:
            self._open_xray(None if tweet is None else tweet.text)

    def _open_xray(self, text: str | None, *, awaits_tweet: bool = False) -> None:
        from tui.screens.xray import XrayScreen  # not at the start: it has some 15 modules

        if not isinstance(self.app.screen, XrayScreen):  # a key pressed twice at once
            keys = self.app.store.preferences.keys
            self.app.push_screen(XrayScreen(self.run, text, keys, awaits_tweet=awaits_tweet))

    def on_paste(self, event: Paste) -> None:
        """Open what is dropped into the terminal, which pastes its path; ignore a text that is no path.

        A browser pastes no paths, and what is pasted into it must not show which files this machine has.
        """
        path = None if self.app.is_web else dropped_path(event.text)
        if path is not None and not self.refuses("switching"):
            self.app.files.open(path.absolute())
