"""What a tool call has around it in a room: who is told of it, who is asked, what clients offer."""
