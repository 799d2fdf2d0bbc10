"""The keys of the dialog that shows a batch."""

from __future__ import annotations

from tui.settings.keys.key import Key

GRID_KEYS = (
    Key("up", "row(-1)", "Previous tweet", "Select the previous tweet, whose token ids are shown below the grid."),
    Key("down", "row(1)", "Next tweet", "Select the next tweet; a click selects one, and the wheel scrolls."),
    Key("pageup", "page(-1)", "Page up", "Scroll up by a page."),
    Key("pagedown", "page(1)", "Page down", "Scroll down by a page."),
    Key("left", "columns(-1)", "Earlier time steps", "Scroll left by eight time steps."),
    Key("right", "columns(1)", "Later time steps", "Scroll right by eight time steps."),
    Key("home", "first_column", "First time step", "Scroll to the first time step, where each tweet has <BOS>."),
    Key("end", "last_column", "Last time step", "Scroll to the end of the longest tweet."),
)

BATCH_KEYS = (
    *GRID_KEYS,
    Key("full_stop", "step", "Take one step", "Take one step, and show its batch; while training, pause first."),
    Key("question_mark", "explain", "Explain the grid", "Explain the grid in five sentences, or show it again."),
    Key("escape", "close", "Close", "Close the batch."),
)
