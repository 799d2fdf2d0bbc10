"""Modal dialogs over a screen: those that ask answer with a value, those on a run send commands and show answers."""
