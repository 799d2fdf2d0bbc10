"""The data folder: paths, run folders, journals, logs, locks, atomic writes and safe reads. Never imports torch."""
