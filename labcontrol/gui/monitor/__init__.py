"""The window on a run of another process."""
