"""An assistant that is present: it watches a live video and decides every second to stay silent, speak or delegate."""

__version__ = "0.1.0"
