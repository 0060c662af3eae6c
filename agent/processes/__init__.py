"""The worker as processes of the operating system: started, watched, replaced, ended."""
