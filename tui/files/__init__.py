"""Files that the screen itself reads and writes: listings, dropped paths, pins, exports. Never imports Textual."""
