"""Processes that hold devices: a run's, or a bench's; who may light them, and what of a lost one is known."""
