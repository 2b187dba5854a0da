"""The candidate as the tests see it: a module, functions and objects that live in another process.

Plain data arrives as itself, and with it nothing that the candidate could still change. Everything else is a `Handle`:
what it is asked crosses. What it would be compared or reckoned with does not, for that would be telling it.
"""

from types import ModuleType
from typing import Any

from .link import Link
from .strict import equal

_SAFE_DUNDERS = {"__name__", "__qualname__", "__doc__"}


def _crosses(name: str) -> bool:
    """Whether an attribute is the candidate's to answer for, and not something that Python or pytest looks for."""
    return name in _SAFE_DUNDERS or not (name.startswith("__") or "pytest" in name)


class Handle:
    """A value that stays with the candidate. Equal to nothing but itself."""

    __slots__ = ("_assay_link", "_assay_number")
    __test__ = False

    def __init__(self, link: Link, number: int) -> None:
        object.__setattr__(self, "_assay_link", link)
        object.__setattr__(self, "_assay_number", number)

    def assay_number(self) -> int:
        """What the candidate's side knows it by."""
        return self._assay_number  # type: ignore[no-any-return]

    def _ask(self, operation: str, *arguments: Any) -> Any:
        return self._assay_link.ask(operation, self._assay_number, *arguments)

    def __getattr__(self, name: str) -> Any:
        if not _crosses(name):
            raise AttributeError(name)
        return self._ask("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", name, value)

    def __delattr__(self, name: str) -> None:
        self._ask("delete", name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call it over there."""
        return self._ask("call", list(args), kwargs)

    def __getitem__(self, key: Any) -> Any:
        return self._ask("item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("set_item", key, value)

    def __delitem__(self, key: Any) -> None:
        self._ask("delete_item", key)

    def __len__(self) -> int:
        return self._ask("len")  # type: ignore[no-any-return]

    def __iter__(self) -> Any:
        return self._ask("iter")

    def __next__(self) -> Any:
        return self._ask("next")

    def __contains__(self, item: Any) -> bool:
        return any(equal(item, member) for member in self)

    def __bool__(self) -> bool:
        return self._ask("bool")  # type: ignore[no-any-return]

    def __str__(self) -> str:
        return self._ask("str")  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return self._ask("repr")  # type: ignore[no-any-return]

    def __enter__(self) -> Any:
        return self._ask("enter")

    def __exit__(self, kind: type[BaseException] | None, *error: Any) -> bool:
        names = [base.__name__ for base in kind.__mro__ if base is not object] if kind else []
        return self._ask("leave", names, "") is True

    def __instancecheck__(self, value: Any) -> bool:
        return self._ask("is_instance", value) is True

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[Any, ...]:
        link: Link = self._assay_link
        raise link.refuse("the tests derive a class from one of the candidate's, which lives in another process")

    def __eq__(self, other: object) -> bool:
        return type(other) is Handle and self.assay_number() == other.assay_number()

    def __hash__(self) -> int:
        return hash(self.assay_number())


class CandidateModule(ModuleType):
    """Stands where the tests import the candidate's module."""

    def __init__(self, name: str, module: Handle) -> None:
        super().__init__(name)
        self.__dict__["_assay_module"] = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_assay_module"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("__"):
            super().__setattr__(name, value)
        else:
            setattr(self.__dict__["_assay_module"], name, value)
