"""What Linux offers, and no policy: system calls, constants, and the readers of ``/proc``."""
