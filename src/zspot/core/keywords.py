"""Functions whose keywords are the fields of a dataclass."""

import inspect
from collections.abc import Callable
from typing import TypeVar

Function = TypeVar("Function", bound=Callable)


def lists(kind: type, *keywords: type) -> Callable[[Function], Function]:
    """Let the signature of a function list its `**options`: fields of a dataclass by their names.

    The names are those of `keywords`, typed dictionaries; the order and defaults are those of the
    dataclass.
    """

    def decorate(function: Function) -> Function:
        names = {name for known in keywords for name in known.__annotations__}
        fields = inspect.signature(kind).parameters.values()
        listed = [f.replace(kind=f.KEYWORD_ONLY) for f in fields if f.name in names]
        own = inspect.signature(function)
        plain = [p for p in own.parameters.values() if p.kind is not p.VAR_KEYWORD]
        function.__signature__ = own.replace(parameters=plain + listed)  # type: ignore[attr-defined]
        return function

    return decorate
