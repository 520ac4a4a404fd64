"""The questions at the end of each lesson: a module for each, with what the kernel is asked for the answers."""
