"""What participants, rooms and tenants may use: rates, numbers at once, tokens of a day."""
