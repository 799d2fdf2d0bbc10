"""Numbers, tweets, checkpoints and what a user types, as text. Pure functions; never imports Textual."""
