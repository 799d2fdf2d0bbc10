"""Readers of tables: CSV in its dialects, Sentiment140, Parquet, Arrow, Excel. They never guess by a file's name."""
