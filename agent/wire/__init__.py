"""What the agent puts on the wire besides its answers: packets, notices, attributes."""
