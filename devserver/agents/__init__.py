"""Agent workers: their identity, their jobs, and the assignment of jobs."""
