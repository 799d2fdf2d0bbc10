"""The keys of tweets: on the main screen, in the focused feed, in the prompt line and in an open tweet."""

from __future__ import annotations

from tui.settings.keys.key import Key

SAMPLING_KEYS = (
    Key(
        "plus,equals_sign",
        "steering.temperature(1)",
        "Raise the temperature",
        "Raise the temperature by 0.05, up to 5: more random from the next character on.",
        label="temp",
        symbols="+",
        needs=("commands",),
    ),
    Key(
        "minus,underscore",
        "steering.temperature(-1)",
        "Lower the temperature",
        "Lower the temperature by 0.05, down to 0.05: more predictable, and more repetitive.",
        label="temp",
        symbols="-",
        needs=("commands",),
    ),
    Key(
        "t",
        "sampling.ladder",
        "Temperature ladder",
        "Sample one tweet at each of seven temperatures, from the same seed and prime.",
        label="ladder",
        opens=True,
        needs=("commands",),
    ),
    Key(
        "slash",
        "sampling.filter",
        "Filter tweets",
        "Sample only tweets that are new, without some words, with a text, of a length, or the best of several; also "
        "top-k, top-p and min-p.",
        opens=True,
        needs=("commands",),
    ),
    Key(
        "g",
        "sampling.sample",
        "Sample a tweet now",
        "Sample one more tweet, also while paused.",
        label="tweet",
        needs=("commands",),
    ),
    Key(
        "p",
        "sampling.prompt",
        "Type a prompt",
        "Type a prompt: the model completes it as you type, and enter samples the tweet.",
        label="prompt",
        opens=True,
        needs=("commands",),
    ),
    Key(
        "P",
        "tweet_details.clear_prime",
        "Clear the prime",
        "Clear the prime, the text that all new tweets begin with.",
        needs=("commands", "a prime"),
    ),
    Key(
        "",
        "steering.interval('sample_every')",
        "Steps between tweets",
        "Set the number of steps between two tweets of the feed.",
        needs=("commands",),
    ),
)

READING_KEYS = (
    Key(
        "y",
        "tweet_details.copy",
        "Copy the tweet",
        "Copy the selected tweet, or else the newest, to your terminal's clipboard, also over ssh.",
        label="copy",
        needs=("a tweet",),
    ),
    Key(
        "k",
        "pins_and_export.pin",
        "Pin or unpin the tweet",
        "Pin or unpin the tweet.",
        label="pin",
        needs=("steering", "a tweet"),
    ),
    Key("K", "pins_and_export.pins_only", "Pinned tweets only, or all", "Show only pinned tweets, or all again."),
    Key(
        "c",
        "pins_and_export.colours",
        "Colour tweets by surprise",
        "Colour each character by surprise: the brighter, the less likely it was to the model. c again: off.",
    ),
    Key(
        "e",
        "pins_and_export.export",
        "Export tweets",
        "Write the tweets of the feed, or the pinned ones, to a .txt, .csv or .jsonl file.",
        opens=True,
        needs=("files",),
    ),
)

FEED_KEYS = (
    Key("up", "move(-1)", "Previous tweet", "Select the previous tweet; a click selects one, too."),
    Key("down", "move(1)", "Next tweet", "Select the next tweet; after the newest, none is selected."),
    Key("pageup", "page(-1)", "Page up", "Scroll up by a page."),
    Key("pagedown", "page(1)", "Page down", "Scroll down by a page."),
    Key("home", "oldest", "Oldest tweet", "Scroll to the first tweet."),
    Key("end", "follow", "Newest tweet", "Clear the selection, scroll to the end and follow new tweets."),
    Key(
        "enter",
        "read",
        "Open a tweet",
        "Open the selected tweet, or else the newest: what the model predicted at each character.",
        label="read",
        symbols="enter",
        needs=("a tweet",),
    ),
)

PROMPT_KEYS = (
    Key("tab", "accept_word", "Accept a word", "Accept the next word of the completion.", label="word"),
    Key(
        "right",
        "accept_char",
        "Accept a character",
        "At the end of the line, accept the next character of the completion.",
        label="character",
    ),
    Key(
        "enter",
        "send",
        "Sample",
        "Sample a tweet that begins with the prompt and goes on as the completion, unless the model has changed or the "
        "filter refuses it.",
        label="sample",
        symbols="enter",
    ),
    Key(
        "up",
        "steering.temperature(1)",
        "Raise the temperature",
        "Raise the temperature, as + does elsewhere.",
        label="temp",
        needs=("commands",),
    ),
    Key(
        "down",
        "steering.temperature(-1)",
        "Lower the temperature",
        "Lower the temperature, as - does elsewhere.",
        label="temp",
        needs=("commands",),
    ),
    Key(
        "ctrl+r",
        "refresh",
        "Complete again",
        "Complete the line in another way, with the model as it is now; until a key is pressed, the completion stays.",
        label="again",
    ),
    Key("ctrl+x", "xray", "X-ray", "Look into the model: what it computes along the prompt.", label="x-ray"),
    Key("escape", "close_line", "Close the line", "Close the line; p opens it again with its text.", label="close"),
)

TWEET_KEYS = (
    Key(
        "left,right,home,end",
        "",
        "Move the cursor",
        "Move the cursor: what the model predicted at each character, and what else was likely.",
        label="move",
        symbols="←→",
    ),
    Key("y", "copy", "Copy", "Copy the tweet to your terminal's clipboard, also over ssh.", label="copy"),
    Key("k", "pin", "Pin", "Pin or unpin the tweet.", label="pin", needs=("steering",)),
    Key("c", "colours", "Surprise colours", "Switch the surprise colours off or on.", label="colours"),
    Key(
        "n",
        "continue",
        "New end from here",
        "Sample a new end from the cursor on.",
        label="new end",
        needs=("commands",),
    ),
    Key(
        "P",
        "use_as_prime",
        "Use as prime",
        "Begin all new tweets with the text before the cursor; P again clears it.",
        label="prime",
        needs=("commands",),
    ),
    Key("x", "xray", "X-ray", "Look into the model: what it computes along the tweet.", label="x-ray"),
    Key("escape", "close", "Close", "Close the tweet.", label="close"),
)
