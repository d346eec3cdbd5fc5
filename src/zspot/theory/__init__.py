"""Linear blind-spot theory."""

from zspot.theory.closed_form import *  # noqa: F403
