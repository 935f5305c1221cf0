"""CPU seconds of the stages of a computation, by clocks around its functions."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

ALL_ELSE = "all else"


@dataclass(frozen=True)
class Stage:
    """What is done, and the function that does it.

    Attributes
    ----------
    says
        What is done; several functions may be one stage.
    owner, name
        Module or class, and the name of its function.
    alone
        Whether it runs by itself and starts threads of its own: then all of the process counts,
        less what other stages took meanwhile. Else it counts the thread that it runs in.
    """

    says: str
    owner: Any
    name: str
    alone: bool = False


@dataclass
class _Spent:
    """Seconds by stage; several threads add to them."""

    seconds: dict[str, float]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, stage: str, seconds: float) -> None:
        with self.lock:
            self.seconds[stage] += seconds

    def total(self) -> float:
        with self.lock:
            return sum(self.seconds.values())


@contextmanager
def clocked(stages: Sequence[Stage]) -> Iterator[dict[str, float]]:
    """CPU seconds by stage, added up as long as the context lasts, then with all else."""
    spent = _Spent(dict.fromkeys((stage.says for stage in stages), 0.0))
    begun = time.process_time()
    with ExitStack() as undo:
        for stage in stages:
            plain = getattr(stage.owner, stage.name)
            watch = _alone if stage.alone else _in_its_thread
            setattr(stage.owner, stage.name, watch(plain, stage.says, spent))
            undo.callback(setattr, stage.owner, stage.name, plain)
        yield spent.seconds
    spent.seconds[ALL_ELSE] = time.process_time() - begun - spent.total()


def _in_its_thread(work: Callable[..., Any], says: str, spent: _Spent) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.thread_time()
        try:
            return work(*args, **kwargs)
        finally:
            spent.add(says, time.thread_time() - start)

    return timed


def _alone(work: Callable[..., Any], says: str, spent: _Spent) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        start, others = time.process_time(), spent.total()
        try:
            return work(*args, **kwargs)
        finally:
            meanwhile = spent.total() - others
            spent.add(says, time.process_time() - start - meanwhile)

    return timed
