"""Numbers, checkpoints and corpora as text. Pure functions; never imports Textual."""
