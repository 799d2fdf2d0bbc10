"""Readers of tables: CSV in its dialects, Sentiment140, Parquet. They never guess by a file's name."""
