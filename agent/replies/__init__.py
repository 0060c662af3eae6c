"""What goes out: one answer over every output, in public or in private, and its replays."""
