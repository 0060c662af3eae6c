"""From a join request to a session: tokens are checked, requests answered."""
