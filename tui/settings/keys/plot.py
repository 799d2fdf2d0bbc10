"""The keys of the loss plot: on the main screen, and in the focused plot."""

from __future__ import annotations

from tui.settings.keys.key import Key

MAIN_PLOT_KEYS = (
    Key(
        "b",
        "panels.unit",
        "Bits or nats",
        "Show all losses in bits or in nats per character (1 bit is ln 2 nats).",
        label="bits/nats",
    ),
    Key("L", "panels.log", "Log or linear scale", "Make the plot's loss axis logarithmic or linear."),
    Key(
        "r",
        "panels.levels",
        "Reference levels on or off",
        "Show or hide the levels that the model has to get below: uniform, unigram, bigram and the best n-gram.",
    ),
    Key(
        "i",
        "panels.legend",
        "Legend of the plot",
        "Explain the lines, points and letters in the plot; again for the next page or to close it.",
        needs=("steps",),
    ),
    Key(
        "v",
        "panels.panes",
        "Whole run or recent part",
        "Plot the whole run, its recent part at full resolution, or both side by side where there is room.",
        needs=("steps",),
    ),
)

PLOT_KEYS = (
    Key(
        "left",
        "move_cursor(-1)",
        "Move the plot's cursor",
        "Move the cursor left by a column; the feed scrolls to the tweets sampled there.",
        label="cursor",
    ),
    Key(
        "right",
        "move_cursor(1)",
        "Plot cursor right",
        "Move the cursor right by a column.",
        label="cursor",
    ),
    Key(
        "shift+left",
        "move_cursor(-10)",
        "Plot cursor left by ten",
        "Move the cursor left by ten columns.",
        symbols="shift+←",
    ),
    Key(
        "shift+right",
        "move_cursor(10)",
        "Plot cursor right by ten",
        "Move the cursor right by ten columns.",
        symbols="shift+→",
    ),
    Key(
        "up",
        "zoom(-1)",
        "Zoom in",
        "Zoom in at the cursor, or else at the newest step; the wheel zooms at the pointer.",
        label="zoom",
    ),
    Key(
        "down",
        "zoom(1)",
        "Zoom out",
        "Zoom out at the cursor, or else at the newest step.",
        label="zoom",
    ),
    Key("pageup", "pan(-1)", "Pan left", "Pan left by half of the steps in view.", symbols="pgup or drag"),
    Key("pagedown", "pan(1)", "Pan right", "Pan right by half of the steps in view.", symbols="pgdn or drag"),
    Key("home", "first", "First step", "Move the cursor to the first step."),
    Key("end", "follow", "Follow the newest step", "Hide the cursor, and follow the newest step."),
    Key(
        "escape",
        "hide_cursor",
        "Hide the plot's cursor",
        "Close the legend, or hide the cursor: the feed follows again.",
    ),
    Key(
        "0",
        "reset",
        "Reset the plot",
        "Undo zooming and panning; a double click does the same.",
        label="reset",
    ),
)
