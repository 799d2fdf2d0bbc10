"""Datasets that can be downloaded by name, and a download that resumes. Never parses what it downloads."""
