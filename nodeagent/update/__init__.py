"""Another image in the idle slot: read, checked, written, tried, kept or taken back."""
