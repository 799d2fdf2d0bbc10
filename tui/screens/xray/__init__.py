"""The X-ray as a screen over the main screen. The main screen's controller sends what it asks."""
