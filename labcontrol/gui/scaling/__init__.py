"""The page of scaling studies."""
