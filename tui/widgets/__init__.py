"""The widgets of the screen and of its dialogs. Never sends a command; never imports a screen."""
