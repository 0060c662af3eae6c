"""Data packets: channels, routing, the record of what was forwarded."""
