"""The panels of the screen: each draws a `RunView`, holds no session logic and sends no command."""
