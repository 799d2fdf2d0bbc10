"""The widgets of the screen: each shows a `RunView` or a part of one. Never sends a command; never imports a screen."""
