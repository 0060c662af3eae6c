"""Spoken conversations; most of it is imported when a room first has a microphone."""
