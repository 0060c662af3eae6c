"""Rooms, the people in them, and what they publish and subscribe to."""
