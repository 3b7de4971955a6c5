"""The page of the devices by hand."""
