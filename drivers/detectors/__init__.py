"""Detectors: power meters, oscilloscope channels, camera regions."""
