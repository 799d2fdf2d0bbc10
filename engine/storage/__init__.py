"""Files in the data folder: run folders, journals, logs, locks and safe reads. Never imports torch."""
