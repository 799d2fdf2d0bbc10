"""Key table, themes and the user's preferences with their file. Never imports a run or a widget."""
