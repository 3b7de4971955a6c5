"""The page of the run in progress, and how the run is followed."""
