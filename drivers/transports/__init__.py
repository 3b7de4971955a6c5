"""Lines to instruments (serial, VISA) and the conversations held over them; composed into drivers, never inherited."""

from drivers.transports.condition import Condition, establish
from drivers.transports.conversation import Conversation, LandmarkConversation
from drivers.transports.line import Line
from drivers.transports.reply import Reply
from drivers.transports.scpi import ScpiConversation
from drivers.transports.serial_line import SerialLine
from drivers.transports.visa_line import VisaLine

__all__ = [
    "Condition",
    "Conversation",
    "LandmarkConversation",
    "Line",
    "Reply",
    "ScpiConversation",
    "SerialLine",
    "VisaLine",
    "establish",
]
