"""What only a spoken conversation needs; imported when a room first has a microphone."""
