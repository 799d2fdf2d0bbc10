"""Readers of tables: CSV in its dialects, Sentiment140, Parquet. They never look at a file's name."""
