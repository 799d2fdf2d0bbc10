"""The views of the X-ray as lines of styled text, for the screen, the terminal and pictures. Pure."""
