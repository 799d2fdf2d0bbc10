"""The key table and the user's preferences with their file. Never imports a run or a widget."""
