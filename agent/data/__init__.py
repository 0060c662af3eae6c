"""Data packets: the channel, and the topics that they belong to."""
