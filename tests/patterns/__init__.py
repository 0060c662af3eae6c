"""Every regular expression of the project takes linear time."""
