"""The views of the X-ray as lines of styled text, for the screen, the terminal and pictures. Pure.

Each view is a module with a `View` (`state.py`), and a row in `views.py`; `batch.py` draws the batch of a step.
"""
