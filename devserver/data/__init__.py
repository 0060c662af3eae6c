"""Data packets: channels, routing, the record of forwarded packets."""
