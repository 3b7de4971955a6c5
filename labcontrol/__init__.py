"""labcontrol: operate a photonic reservoir, train its Boolean readout in place, and predict the learning curve."""

__version__ = "0.1.0"
