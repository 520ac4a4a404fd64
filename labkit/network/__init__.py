"""The network of containers as steps: links between namespaces, addresses, and what may go over a link."""
