"""Stop 2: a batch goes through the model, part by part."""

from __future__ import annotations

from textual.app import ComposeResult

from engine.protocol.events import Event
from engine.protocol.insight import BatchShown, ShowBatch
from tui.lesson.checks import NUM_PARTS
from tui.lesson.pictures.shapes_picture import Sizes, shapes_picture
from tui.screens.lesson.live_picture import LivePicture
from tui.screens.lesson.views.base import StopView
from tui.xray.drawing import Glyphs, Picture


class ShapesView(StopView):
    """The shapes of the run's own batch."""

    def compose(self) -> ComposeResult:
        """Lay out the picture."""
        yield LivePicture(self._picture)

    def on_mount(self) -> None:
        """Start without a batch."""
        self._batch: BatchShown | None = None
        self._num_seen = 0

    def run_is_ready(self) -> None:
        """Ask for a batch."""
        self.lesson.run.send(ShowBatch())

    def handle(self, event: Event) -> None:
        """Show the shapes of a batch."""
        if isinstance(event, BatchShown):
            self._batch = event
            self.query_one(LivePicture).redraw()

    def act(self) -> None:
        """Show the next part; after the last, start again."""
        if self._batch is not None:
            self._num_seen = self._num_seen % NUM_PARTS + 1
            self.query_one(LivePicture).redraw()
            self.lesson.record(num_parts_seen=max(self._num_seen, self.lesson.facts.num_parts_seen))

    def _picture(self, width: int, height: int, glyphs: Glyphs) -> Picture:
        started, batch = self.lesson.run.view.started, self._batch
        if started is None or batch is None:
            return ()
        sizes = Sizes(
            model=started.model,
            vocab_size=started.vocab_size,
            num_tweets=batch.num_tweets,
            num_columns=batch.num_columns,
        )
        return shapes_picture(sizes, self._num_seen, width, height, glyphs)
