"""Settings of a run as frozen dataclasses, their presets and their validation.

Never reads a file and never imports torch.
"""
