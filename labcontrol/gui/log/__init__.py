"""The page of the log, and the log on disk."""
