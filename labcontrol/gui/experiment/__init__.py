"""The page where a run is set up, and the queue of runs."""
