"""Modal dialogs over a screen. Each sends the commands that it needs and shows their answers. Never trains."""
