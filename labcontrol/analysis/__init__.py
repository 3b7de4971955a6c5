"""Everything that is said about a run, live or recorded, once: models, summary, plots, report, comparisons."""
