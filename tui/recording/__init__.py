"""Screens over time as files: an asciinema cast, an animated SVG. Pure; never draws a screen and knows no framework."""
