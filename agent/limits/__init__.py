"""Limits of participants, rooms and tenants: rates, concurrency, tokens a day."""
