"""The X-ray as a screen over the main screen."""
