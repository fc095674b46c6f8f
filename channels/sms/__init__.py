"""Text messages: one file per provider."""
