"""Rooms, their participants, publications and subscriptions."""
