"""The console: a full-screen program on tty1, serial and SSH, and a client of the agent on the bus."""
