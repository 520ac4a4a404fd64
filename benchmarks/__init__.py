"""How long labkit takes, side by side in one run with what a user would pick instead. Run by `./lab bench`.

Absolute times depend on the machine and on the hour, so what counts is the ratio of two things measured in turns
within the same minute. Nothing here is a test: no figure makes anything fail, and a peer that is missing is named.
"""
