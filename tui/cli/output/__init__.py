"""What commands print: tables, reports, progress. Never computes a figure."""
