"""Who answers each method of the bus, an area a module."""
