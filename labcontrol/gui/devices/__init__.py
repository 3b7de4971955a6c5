"""The page of manual control."""
