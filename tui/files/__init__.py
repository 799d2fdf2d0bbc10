"""Files that the screen reads and writes itself: folders listed, tweets exported, pins. Never imports Textual."""
