"""Numbers, checkpoints and corpus previews as text. Pure functions; never imports Textual."""
