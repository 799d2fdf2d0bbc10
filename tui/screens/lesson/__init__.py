"""The guided lesson as a screen: text, live view and keys of its stops. What it shows and checks is in `tui.lesson`."""
