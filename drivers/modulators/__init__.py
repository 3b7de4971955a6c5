"""Spatial light modulators and micromirror arrays."""
