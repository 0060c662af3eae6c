"""What an answer shows beside its text: parts, their stream, and what people do with them."""
