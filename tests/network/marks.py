"""What a test says of itself."""


def short(function):
    """Takes seconds: also in the ordinary run of the suite."""
    function.short = True
    return function
