"""What this machine is: one module for each part, each reading below a root and never guessing."""
