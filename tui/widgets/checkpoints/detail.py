"""`CheckpointDetail`: error, sample and metadata of the checkpoint under the cursor. Never reads a file."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import ScrollableContainer
from textual.content import Content
from textual.widgets import Static

from engine.protocol.events import TweetSampled
from engine.text import ELLIPSIS, sanitize_line


class CheckpointDetail(ScrollableContainer):
    """Error first, so that it is visible on the smallest terminal."""

    DEFAULT_CSS = """
    CheckpointDetail {
        height: 9;
        overflow: hidden auto;
        border-top: solid $border-blurred;
        background: $surface;
        scrollbar-size-vertical: 1;
        #problem { color: $text-error; }
        #sample { color: $foreground; }
        #facts { color: $text-muted; }
        Static { height: auto; }
    }
    """

    def compose(self) -> ComposeResult:
        """Lay out the parts, empty."""
        for name in ("problem", "sample", "facts"):
            yield Static(markup=False, id=name)

    def show(self, problem: str, facts: list[str]) -> None:
        """Show error and metadata; the sample follows when it has been generated."""
        self._set_text("problem", sanitize_line(problem))
        self._set_text("facts", "\n".join(sanitize_line(line) for line in facts))
        self.scroll_home(animate=False)

    def show_sample(self, tweet: TweetSampled | None) -> None:
        """Show a tweet of the model, if there is one."""
        end = ELLIPSIS if tweet is not None and not tweet.reached_eos else ""
        self._set_text("sample", "" if tweet is None else f"“{sanitize_line(tweet.text)}{end}” (step {tweet.step:,})")

    def _set_text(self, name: str, text: str) -> None:
        """Set the text of a part; an empty one takes no line."""
        line = self.query_one(f"#{name}", Static)
        line.update(Content(text))
        line.display = bool(text)
