"""A simulated optical table and the mock devices that stand on it."""
