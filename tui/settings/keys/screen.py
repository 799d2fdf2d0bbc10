"""The keys of the program: other tweets, leaving, panels, mouse, settings, help and palette."""

from __future__ import annotations

from tui.settings.keys.key import Key

PROGRAM_KEYS = (
    Key(
        "o",
        "open_tweets.open",
        "Open other tweets",
        "Open a file, folder or archive, or drop one in: this run is saved, and a new one starts on it.",
        label="open",
        opens=True,
        needs=("switching",),
    ),
    Key(
        "d",
        "leaving.detach",
        "Detach",
        "Return to the shell; the run continues without a screen, and tweetgen-tui attach shows it again.",
        label="detach",
        needs=("a run to leave",),
    ),
    Key(
        "q",
        "leaving.leave",
        "Quit",
        "Stop, save `latest` and quit. ctrl+c does the same; pressed twice, it quits at once.",
        label="quit",
    ),
    Key(
        "",
        "leaving.lesson",
        "The lesson",
        "Save and stop this run, and open the guided lesson: each idea of the tutorial on a small model.",
        needs=("a terminal",),
    ),
    Key(
        "tab",
        "panels.panel(1)",
        "Next panel",
        "Focus the next panel; a small terminal shows one at a time.",
    ),
    Key("shift+tab", "panels.panel(-1)", "Previous panel", "Focus the previous panel."),
    Key(
        "h",
        "panels.machine",
        "More of the run",
        "Show what did not fit, page by page: the time per step, processor, memory and GPUs, what the screen costs, "
        "model and tweets, why rows were left out, the values of the run in full.",
    ),
    Key(
        "m",
        "app.mouse",
        "Mouse on or off",
        "Release the mouse to the terminal, to select and copy text, or recapture it.",
    ),
    Key(
        "comma",
        "preferences.settings",
        "Settings",
        "Choose colours, notifications and intervals for all runs.",
        opens=True,
    ),
    Key(
        "question_mark",
        "preferences.help",
        "Help",
        "Show all keys, and how to read the screen.",
        label="help",
        opens=True,
    ),
    Key(
        "ctrl+p",
        "app.command_palette",
        "Menu",
        "Search all actions by name, or choose a theme.",
        label="menu",
        opens=True,
    ),
)
