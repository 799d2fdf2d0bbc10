"""The key table: every key and what it does. Bindings, key bar, palette, help and the README are made from it.

No key here is a prefix of tmux or screen (ctrl+b, ctrl+a), or stops and starts a terminal's output (ctrl+s, ctrl+q).
"""

from __future__ import annotations

from tui.settings.keys.batch import BATCH_KEYS
from tui.settings.keys.checkpoints import BROWSER_KEYS, MAIN_CHECKPOINT_KEYS
from tui.settings.keys.dialogs import DIALOG_KEYS
from tui.settings.keys.key import Key
from tui.settings.keys.plot import MAIN_PLOT_KEYS, PLOT_KEYS
from tui.settings.keys.run import TRAINING_KEYS
from tui.settings.keys.screen import PROGRAM_KEYS
from tui.settings.keys.tweets import FEED_KEYS, PROMPT_KEYS, READING_KEYS, SAMPLING_KEYS, TWEET_KEYS
from tui.settings.keys.xray import MODEL_KEYS, XRAY_PANEL_KEYS, XRAY_SCREEN_KEYS

_MAIN_TABLE: dict[str, tuple[Key, ...]] = {
    "Train": TRAINING_KEYS,
    "Sample tweets": SAMPLING_KEYS,
    "Read and keep tweets": READING_KEYS,
    "Look into the model": MODEL_KEYS,
    "Read the loss plot": MAIN_PLOT_KEYS,
    "Save, go back, branch off": MAIN_CHECKPOINT_KEYS,
    "The program": PROGRAM_KEYS,
}
"""The keys that act on the main screen whichever panel is focused, by what one wants to do."""

KEY_TABLE: dict[str, tuple[Key, ...]] = {
    **_MAIN_TABLE,
    "In the tweets (tab focuses them)": FEED_KEYS,
    "In the loss plot (tab focuses it)": PLOT_KEYS,
    "While typing a prompt": PROMPT_KEYS,
    "In an open tweet": TWEET_KEYS,
    "In an open batch": BATCH_KEYS,
    "In the X-ray": (*XRAY_PANEL_KEYS, *XRAY_SCREEN_KEYS),
    "In the list of checkpoints": BROWSER_KEYS,
    "In the other dialogs": DIALOG_KEYS,
}
"""All rows, under headings: what one wants to do on the main screen, then the other places."""

MAIN_ACTIONS = tuple(key for keys in _MAIN_TABLE.values() for key in keys)
"""The actions of the main screen; those without a key are in the palette."""

MAIN_KEYS = tuple(key for key in MAIN_ACTIONS if key.keys)
"""The keys of the main screen, which a user can change."""

PANEL_ACTIONS = {"": MAIN_ACTIONS, "LossPlot": PLOT_KEYS, "TweetFeed": FEED_KEYS}
"""What the palette offers, by the widget that acts; those of the main screen under ""."""

_BAR = (
    *("pause", "step", "show_batch", "finish", "temperature_up", "temperature_down", "ladder", "sample", "prompt"),
    *("open_xray", "save", "load", "open", "unit", "help", "command_palette", "detach", "leave"),
)
BAR_KEYS = tuple(key for name in _BAR for key in MAIN_KEYS if key.name == name)
"""The main screen's key bar, in its order; a narrow one leaves out some."""

_PANEL_BARS = {
    "TweetFeed": ("pin", "read", "copy"),
    "LossPlot": ("move_cursor_down", "move_cursor_up", "zoom_down", "zoom_up", "reset"),
}
PANEL_BARS = {
    panel: tuple(key for name in names for key in (*MAIN_KEYS, *PANEL_ACTIONS[panel]) if key.name == name)
    for panel, names in _PANEL_BARS.items()
}
"""The keys that precede those of the bar while a panel is focused, by the widget that acts."""
