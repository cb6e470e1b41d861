"""What every virtnode program shares: errors, commands, logging. Standard library only."""
