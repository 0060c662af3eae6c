"""Spoken conversations; imported when a room first has a microphone."""
