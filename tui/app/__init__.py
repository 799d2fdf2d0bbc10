"""The Textual app and its main screen: what keys and signals do to a run and its screen. Never trains."""
