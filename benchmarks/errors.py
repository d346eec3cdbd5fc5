"""What ends a benchmark command with one clear line."""


class BenchmarkError(ValueError):
    """Bad use or input; the message says what, where and what to do."""
