"""Modal dialogs over the main screen. They return an answer or call back; they never send a command."""
