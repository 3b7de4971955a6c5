"""Lasers and laser diode controllers."""
