"""Files: received, stored, shown to the model, and sent."""
