"""Party-building platforms: one file per way of calling them."""
