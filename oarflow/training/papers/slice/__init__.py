"""Papers' own comparisons, trained and measured on the data at hand."""
