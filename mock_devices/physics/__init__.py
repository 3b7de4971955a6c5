"""What light and matter on the simulated table do; the devices in front of it only pass commands and data."""
