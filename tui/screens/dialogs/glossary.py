"""The glossary of the help: what one sees on the main screen, one sentence each."""

from __future__ import annotations

from tui.settings.theme import NOVELTY_GLYPHS, NOVELTY_SENTENCES
from tui.widgets.feed.layout import DRAFTS_MARK, FAILING_MARK, PIN_GLYPH, SELECTED_GLYPH
from tui.widgets.help_search import Groups, HelpEntry
from tui.widgets.plot.glyphs import MARK_LETTERS, MARK_MEANINGS, PlotGlyphs

_WORDS = (
    HelpEntry("loss", "How much the next character surprises the model, on average (cross-entropy): lower is better."),
    HelpEntry(
        "bits/char",
        "The unit of a loss. 2 bits per character: as uncertain as a choice among 4 equally likely characters; each "
        "bit more doubles the choice. 1 bit is 0.693 nats (ln 2).",
    ),
    HelpEntry(
        "train",
        "The loss on the tweets that the model learns from: a mean of the latest steps, at most 100, without the "
        "highest and lowest tenth. A checkpoint has the loss of its last step; the plot's cursor shows the mean of the "
        "steps in its column.",
    ),
    HelpEntry(
        "validation",
        "The loss on tweets held out of training. If it rises while the train loss falls, the model learns its tweets "
        "by heart: it overfits.",
        "val",
    ),
    HelpEntry(
        "levels",
        "Losses that simple models reach on the same validation tweets: guessing (uniform), and counts of single "
        "characters (unigram), pairs (bigram) or longer pieces (n-gram). Below a level, the model has learned more "
        "than such counts contain.",
        "reference baseline",
    ),
    HelpEntry("step", "One update of the weights, computed from one batch of tweets."),
    HelpEntry("epoch", "One pass over all training tweets."),
    HelpEntry("learning rate", "How far a step moves the weights."),
    HelpEntry(
        "temperature",
        "How random the samples are: below 1 likely characters become likelier, above 1 unlikely ones do.",
    ),
    HelpEntry(
        "filter",
        "What a sampled tweet has to be: new, without some words, of a length. Whole tweets, the drafts, are sampled "
        "until one passes.",
        "draft",
    ),
    HelpEntry("prompt", "Text that one tweet begins with; the model continues it."),
    HelpEntry("prime", "Text that every new tweet begins with, until it is cleared."),
    HelpEntry("surprise", "The bits of a single character: the less likely it was to the model, the more."),
    HelpEntry(
        "checkpoint", "A file with the weights and all that is needed to resume; best has the lowest validation loss."
    ),
)
_FEED = (
    HelpEntry("1,200", "The step after which the tweet was sampled."),
    *(
        HelpEntry(
            f"{glyph} {novelty}", f"{NOVELTY_SENTENCES[novelty][0].upper()}{NOVELTY_SENTENCES[novelty][1:]}.", "novelty"
        )
        for novelty, glyph in NOVELTY_GLYPHS.items()
    ),
    HelpEntry(
        DRAFTS_MARK, "Beside novelty: the first draft did not pass the filter, or several were compared.", "filter"
    ),
    HelpEntry(
        FAILING_MARK,
        "Beside novelty: no draft passed the filter, and this one comes nearest. The rule above counts those since the "
        "filter changed.",
        "filter",
    ),
    HelpEntry("0.80", "Temperature at the last character of the tweet, in a wide terminal."),
    HelpEntry("2.40", "Loss of the tweet: the mean surprise of the model that sampled it."),
    HelpEntry(SELECTED_GLYPH, "The selected tweet, or the tweets sampled at the plot's cursor."),
    HelpEntry(PIN_GLYPH, "A pinned tweet."),
    HelpEntry("…", "The tweet was cut at the maximum length."),
    HelpEntry("2.40 @900", "In the list of checkpoints: the loss is that of step 900, the latest evaluation."),
)


def glossary(glyphs: PlotGlyphs) -> Groups:
    """Return words and symbols with their meanings; those of the plot in `glyphs`."""
    plot = (
        HelpEntry(f"{glyphs.line_sample} train", "The loss on training tweets, smoothed."),
        HelpEntry(f"{glyphs.band_sample} raw", "The range of that loss over single steps."),
        HelpEntry(f"{glyphs.peak} peak", "The highest loss, above the top of the plot."),
        HelpEntry(f"{glyphs.validation} validation", "The loss on validation tweets."),
        HelpEntry(f"{glyphs.best} best", "The lowest validation loss."),
        HelpEntry(glyphs.beaten, "Beside a level: the latest validation loss is below it."),
        HelpEntry(f"{glyphs.up} {glyphs.down}", "Beside a level: it is above or below the losses in view."),
        HelpEntry(f"{glyphs.overlay_sample} a run", "The train loss of the run that this one branched off."),
        *(HelpEntry(letter, f"On the axis: {MARK_MEANINGS[kind]}.", "mark") for kind, letter in MARK_LETTERS.items()),
    )
    return {"Words": _WORDS, "A line of the feed": _FEED, "The plot": plot}
