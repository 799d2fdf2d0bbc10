"""The main screen, the dialogs over it and the command palette. Never trains; never writes to the terminal itself."""
