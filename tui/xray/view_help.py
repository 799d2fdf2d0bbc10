"""Five lines of help for each view: what is seen, how it is computed, what to look for."""

from __future__ import annotations

from tui.xray.view_names import ViewName

_HELP: dict[ViewName, tuple[str, ...]] = {
    "step": (
        "The model reads one character, updates its hidden state, and gives each possible next one a probability.",
        "In training it is then fed the true next character, whatever it predicted: this is teacher forcing.",
        "The loss of a character comes from the probability it got: 0 bits for 100 %, 1 bit for 50 %, 2 for 25 %.",
        "The mean over the tweet is its loss; one character at a time or all at once, the result is the same.",
        "Fed its own draws instead, the model can leave the text for good: it was never trained on its own mistakes.",
    ),
    "gates": (
        "A column is one character being read; a row is a band of hidden units, those with the lowest mean z first.",
        "The update gate z decides what is kept: at 1 a unit copies its state, at 0 it takes the candidate n.",
        "The reset gate r decides how much of the old state enters the candidate n, which lies between -1 and 1.",
        "Each unit's new state is z times its old state plus (1 - z) times n.",
        "Look for columns where z falls: a space, an @ or the end of a link often rewrites the state.",
    ),
    "reach": (),
    "units": (),
    "map": (),
}


def view_help(view: ViewName) -> tuple[str, ...]:
    """Return the five lines that explain a view."""
    return _HELP[view]
