"""Faults that make the alerts of deploy/ fire."""
