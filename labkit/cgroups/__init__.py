"""Control groups as steps."""
