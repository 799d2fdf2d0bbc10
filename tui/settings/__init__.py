"""Key table, themes and the user's preferences. Nothing here depends on a run."""
