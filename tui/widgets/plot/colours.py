"""The colours of the plot, by the names of `StyleName`: variables of the themes only."""

from __future__ import annotations

PLOT_CSS = """
LossPlot {
    & > .loss-plot--text { color: $text-muted; }
    & > .loss-plot--axis { color: $border-blurred; }
    & > .loss-plot--tick { color: $text-muted; }
    & > .loss-plot--heading { color: $text-muted; text-style: bold; }
    & > .loss-plot--focus { color: $text-primary; text-style: bold; }
    & > .loss-plot--grid { color: $border-blurred; }
    & > .loss-plot--level { color: $secondary 50%; }
    & > .loss-plot--level_label { color: $text-secondary; }
    & > .loss-plot--band { color: $primary 40%; }
    & > .loss-plot--line { color: $text-accent; text-style: bold; }
    & > .loss-plot--overlay { color: $secondary; }
    & > .loss-plot--validation { color: $text-primary; }
    & > .loss-plot--best { color: $text-primary; text-style: bold; }
    & > .loss-plot--best_line { color: $primary 45%; }
    & > .loss-plot--peak { color: $text-muted; }
    & > .loss-plot--mark { color: $text-accent; text-style: bold; }
    & > .loss-plot--window { color: $text-primary; }
    & > .loss-plot--cursor { color: $foreground; }
    & > .loss-plot--readout { color: $foreground; }
}
"""
