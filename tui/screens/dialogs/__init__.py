"""Modal dialogs over the main screen, one file each. They return an answer and never send a command."""
