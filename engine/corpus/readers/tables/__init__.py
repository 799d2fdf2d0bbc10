"""Readers of tables: CSV in its dialects, and Parquet. They never guess by a file's name."""
