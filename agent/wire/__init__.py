"""Everything that the agent sends besides its answers: packets, notices, attributes."""
