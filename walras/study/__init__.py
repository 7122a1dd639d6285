"""Studies: scenarios times mechanisms times seeds, with their tables, statistics, plots and reports."""
