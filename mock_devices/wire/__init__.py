"""Emulated instruments: they speak the real protocols over pseudo-terminals and TCP (POSIX only)."""
