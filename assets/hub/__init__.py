"""Files that an exported model folder contains as they are here."""
