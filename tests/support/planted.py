"""What no log, metric, command line or error may show: every password, token and text that a test makes is
planted here by rest.py and ws.py, and looked for behind every test."""

SHORTEST = 8  # what is shorter may stand in a log by chance

_secrets = set()


def plant(text):
    """Returns text."""
    if isinstance(text, str) and len(text) >= SHORTEST:
        _secrets.add(text)
    return text


def forget_all():
    _secrets.clear()


def found_in(text):
    """The planted secrets that text holds."""
    return sorted(secret for secret in _secrets if secret in text)


def all_text(value):
    """The texts in a JSON value, names of members included, one a line: unescaped, as people would read them."""
    if isinstance(value, dict):
        return "\n".join(f"{name}\n{all_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "\n".join(map(all_text, value))
    return str(value)
