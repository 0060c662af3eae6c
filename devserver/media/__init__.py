"""Peer connections, and audio and video forwarded without decoding."""
