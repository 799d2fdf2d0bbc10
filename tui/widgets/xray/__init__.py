"""The X-ray as a widget: text, cursor and view. Posts the commands that it needs answered; has no session."""
