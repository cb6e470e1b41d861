"""virtnode-image: kickstart → plan → root tree → media."""
