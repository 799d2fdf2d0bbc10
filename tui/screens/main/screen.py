"""The main screen: panels over one `RunView`, every key of the key table, and what each event needs beyond drawing.

Keys become commands; what they change comes back as events.
"""

from __future__ import annotations

from typing import ClassVar, Literal, assert_never

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Static

from engine.protocol import events as e
from engine.protocol.events import TextCompleted, TweetRead
from tui.run import replay
from tui.screens.dialogs.base import FailureDialog
from tui.screens.main.checkpoints import Saving
from tui.screens.main.open_tweets import Opening
from tui.screens.main.pins_and_export import Keeping
from tui.screens.main.preferences import Choosing
from tui.screens.main.sampling import Writing
from tui.screens.main.steering import Steering
from tui.screens.main.tweet_details import Looking
from tui.settings.key_table import MAIN_KEYS, bindings_of, opening
from tui.settings.keymap import mapped
from tui.widgets.feed.tweet_feed import TweetFeed
from tui.widgets.panels import Panels
from tui.widgets.plot.loss_plot import LossPlot

_TOLD_BRIEFLY = {replay.TITLE}
"""Titles of refusals that come with every key: a dialog each would be in the way."""


class MainScreen(Steering, Writing, Saving, Opening, Choosing, Looking, Keeping):
    """Show the run of a bridge, and steer it."""

    AUTO_FOCUS = "TweetFeed"
    BINDINGS: ClassVar[list[BindingType]] = bindings_of(MAIN_KEYS)

    @property
    def opening_keys(self) -> frozenset[str]:
        """The keys that open a line or a dialog."""
        return opening(mapped(MAIN_KEYS, self.key_map))

    def compose(self) -> ComposeResult:
        """Lay out the panels, and the line that stands in for them in a very small terminal."""
        yield Panels()
        yield Static("This needs 40 columns and 12 rows. The run goes on.", markup=False, id="too-small")

    def _route(self, event: e.Event) -> None:  # noqa: C901, PLR0912, PLR0915 - one case per kind of event
        """Do what an event needs beyond drawing."""
        match event:
            case e.CommandRefused(command="Stop", title=title) if title not in _TOLD_BRIEFLY:
                self.ask_to_lose(event)
            case e.CommandRefused(command="CompleteText", detail=detail):
                self.prompt.show_refusal(detail)
            case e.CommandRefused(command="ReadTweet", detail=detail) if self._tweet_dialog is not None:
                self._tweet_dialog.show_refusal(detail)
            case e.CommandRefused(command=command, title=title) if command == "Finish" or title in _TOLD_BRIEFLY:
                self._teller.toast(event.detail)
            case e.CommandRefused(title=title, detail=detail, hint=hint):
                self._teller.error(title, detail, hint)
            case e.CheckpointSaved(name=name):
                if name in self._names_to_save:
                    self._names_to_save.discard(name)
                    self._teller.toast(f"Saved as {name}.")
            case e.CheckpointLoaded(name=name, step=step):
                self._teller.toast(f"Loaded {name}: goes on from step {step:,}.")
            case e.LadderSampled() if self._ladder_dialog is not None:
                self._ladder_dialog.show(event)
            case e.Warned(kind="disk-works", message=message):
                self._teller.toast(message)
            case e.Warned(message=message):
                self._teller.toast(message, "warning")
            case e.RunFinished(reason=reason) if self._ending is None:
                self._teller.toast(f"The run is over: {reason}. Read on as you like; q leaves, o opens other tweets.")
            case e.RunFailed(title=title, detail=detail, hint=hint) if self._ending is None:
                remedy = self.remedy.answer if self.remedy else ""
                self.app.push_screen(FailureDialog(title, detail, hint, remedy), self._go_on_after_failure)
            case e.RunStarted(run=run):
                self.open_pins(run)
            case e.StepsFinished() | e.EvalFinished() | e.TweetSampled():
                pass
            case e.ModelChanged() | e.LearningRateChanged() | e.SamplingChanged() | e.Paused() | e.Resumed():
                pass
            case e.FinishPlanned(last_step=last_step):
                self._teller.toast(f"Finishing: the learning rate falls until step {last_step:,}. f again: not yet.")
            case e.FinishCancelled():
                self._teller.toast("Not finishing: the run goes on at its learning rate.")
            case TextCompleted():
                self.prompt.show(event)
            case TweetRead() if self._tweet_dialog is not None:
                self._tweet_dialog.show(event)
            case e.BatchSizeChanged() | e.IntervalsChanged() | e.StepTimes() | TweetRead():
                pass
            case e.ThreadsChanged():  # the status panel tells
                pass
            case e.LadderSampled() | e.RunFinished() | e.RunFailed():
                pass
            case _:
                assert_never(event)

    def _go_on_after_failure(self, answer: Literal["open", "remedy"] | None) -> None:
        """Do what was chosen over a run that has failed."""
        if answer == "remedy":
            self.action_answer_alert()
        elif answer == "open":
            self.action_open()

    def action_unit(self) -> None:
        """Switch the plot between nats and bits."""
        self.query_one(LossPlot).toggle_unit()

    def action_machine(self) -> None:
        """Show what the machine does, or no more."""
        self._panels.toggle_machine(self._shown_view, self._bridge.host_pid)

    def action_log(self) -> None:
        """Make the plot's axis of losses logarithmic, or linear again."""
        self.query_one(LossPlot).toggle_log()

    def action_panes(self) -> None:
        """Plot the next of: both, the whole run, its recent part."""
        self.query_one(LossPlot).switch_panes()

    def on_loss_plot_cursor_moved(self, message: LossPlot.CursorMoved) -> None:
        """Lead the feed to what was written at the cursor."""
        self.query_one(TweetFeed).show_step(message.step)

    def action_panel(self, step: int) -> None:
        """Go to the next panel, or the one before."""
        self._panels.go_on(step)
