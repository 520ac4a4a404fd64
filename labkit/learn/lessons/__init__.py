"""What the notebooks ask: one module for each, with its `LESSON`. How to write one: docs/teaching.md."""
