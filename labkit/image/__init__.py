"""Images: root file systems to start containers from."""
