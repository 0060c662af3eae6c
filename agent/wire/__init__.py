"""What the agent sends besides its answers: packets, notices, attributes."""
