"""What the clients of the services have in common: one exchange over HTTP, its errors, its repetition.

Named errors with their remedies, the rate limit, the deadline of a request, retries, and the way from the
values of an answer to a data frame belong here. Each service has a package of its own beside this one,
which knows its parameters and its form of an answer. This package knows the contracts only.
"""
