"""The rooms of one worker process: which jobs are admitted, and the loop that all rooms share."""
