"""The worker's operating system processes: start, supervision, health, and end."""
