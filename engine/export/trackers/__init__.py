"""A run as experiment trackers show it: scalars, text samples and settings, in TensorBoard's event files.

`records` maps events to what is shown, `event_file` writes it, `live` does both while a run trains. Never reads
weights, and never imports torch.
"""
