"""What the manual page says besides commands and options. What stands between backquotes is typed or read as it is."""

from __future__ import annotations

DATE = "2026-11-28"
"""Of the page: changed with the version, so that equal sources give equal pages."""

PURPOSE = r"watch and steer a character\-level GRU while it learns to write tweets"

DESCRIPTION = (
    """
    `tweetgen-tui` trains a GRU, a small recurrent neural network, to write tweets character by character, and shows in
    the terminal what it learns: the loss of every step and the tweets that it writes. Temperature, learning rate and
    much else can be changed while it trains; `?` on the screen lists all keys.
    """,
    """
    Without a command the screen opens, and training starts on the tweets of `--data`, or on a corpus that is part of
    the program. Everything that the screen does is also a command. Data is written to standard output, progress and
    errors to standard error; an error is two lines, what is wrong and how to remedy it.
    """,
)

OPTIONS = (
    "The options of the screen. `tweetgen-tui train` has most of them too. Those without a default here are chosen by "
    "the preset, from the size of the corpus and the device."
)

COMMANDS = "Options stand behind the command. Each command has `--help`."

EXIT_STATUS = {
    "0": "Done.",
    "1": "A problem with files or settings; two lines name it and the remedy.",
    "2": "A usage error.",
    "3": "A bug; the traceback is in a log whose path is shown.",
    "75": "A process of a run on several was lost; whatever started the processes is to start them again.",
    "129": "After SIGHUP, where it ends the run or the screen.",
    "130, 143": "After SIGINT, SIGTERM.",
    "141": "The reader of the output has closed it.",
}

ENVIRONMENT = {
    "TWEETGEN_HOME": "The folder of runs, checkpoints, settings and cache, in place of those under FILES.",
    "XDG_DATA_HOME, XDG_CONFIG_HOME, XDG_CACHE_HOME": "On Linux, the folders above those under FILES.",
    "XDG_RUNTIME_DIR": "The folder above that of the sockets by which `attach` reaches a run.",
    "NO_COLOR": "If set, nothing is coloured.",
    "TERM, COLORTERM": "What the terminal can do. With `dumb`, no screen opens.",
    "TEXTUAL_COLOR_SYSTEM": "`standard`, `256` or `truecolor`, where TERM and COLORTERM are wrong.",
    "LC_ALL, LC_CTYPE, LANG": "Whether the terminal shows UTF-8; else plots and frames are ASCII.",
    "COLUMNS": "The width of help and tables, where standard output is no terminal.",
    "RANK, WORLD_SIZE": "Set by torchrun for each of several processes that train one model, with others.",
    "TWEETGEN_RANK_TIMEOUT": "Seconds after which a process that does not answer is given up, from 1 to 86,400; 60 by "
    "default.",
    "CUDA_VISIBLE_DEVICES": "The GPUs that PyTorch sees.",
    "HTTPS_PROXY, ALL_PROXY": "The proxy of `data fetch`.",
}

FILES = {
    "~/.local/share/tweetgen-tui/runs/": "A folder per run: its settings, events, log, and checkpoints.",
    "~/.local/share/tweetgen-tui/checkpoints/": "The checkpoints saved by name.",
    "~/.local/share/tweetgen-tui/data/": "Downloads of `data fetch`.",
    "~/.config/tweetgen-tui/config.toml": "Keys, colours, notifications and intervals, as set in the dialog `,`.",
    "~/.cache/tweetgen-tui/": "Parsed corpora; safe to delete at any time.",
}
"""On Linux."""

FILES_ON_MACOS = (
    "On macOS, the cache is `~/Library/Caches/tweetgen-tui/` and all else is below "
    "`~/Library/Application Support/tweetgen-tui/`."
)

SEE_ALSO = ("`tmux`(1), `torchrun`; asciinema(1) plays the recordings of a run.",)
