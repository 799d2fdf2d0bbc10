"""The key table, key map, theme and preferences of the user. Never knows a run."""
