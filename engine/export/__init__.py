"""Trained models for other programs: a web page, a folder as model hubs read it, an ONNX graph; runs for trackers.

Never trains.
"""
