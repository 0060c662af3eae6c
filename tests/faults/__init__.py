"""Conversations through faults: `make faults` prints its figures."""
