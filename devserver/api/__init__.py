"""The server's API (Twirp) and its webhooks."""
