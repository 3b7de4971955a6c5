"""What is connected to this computer: serial ports, VISA resources and screens, for drivers to choose from."""

from drivers.discovery.here import ThisComputer
from drivers.discovery.places import Place

__all__ = ["Place", "ThisComputer"]
