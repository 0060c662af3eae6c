"""One room: how it is joined, its parts, and their lifetime."""
