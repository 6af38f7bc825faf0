"""Threads that run one at a time, in the order that a test chooses.

A task is a real thread, so that the code under test runs unchanged. It stops wherever it reads the
wall clock, replaces a snapshot, waits or sleeps; between two stops nothing else runs. The same
choices give the same run, so that hypothesis can shrink it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_STUCK_S = 20  # of real time: longer than any machine takes from one stop to the next


class Gone(BaseException):
    """Ends a task whose run has ended."""


class Task:
    """Work of one thread, and its result: `value` or `error`, once it is `done`."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.done = False
        self.value: Any = None
        self.error: BaseException | None = None
        self._work = work
        self._go = threading.Semaphore(0)
        self._may_go_on: Callable[[], bool] | None = None
        self._thread: threading.Thread | None = None

    @property
    def ready(self) -> bool:
        """Return whether the task waits for nothing, or the condition that it waits for is true."""
        return not self.done and (self._may_go_on is None or self._may_go_on())


class Scheduler:
    """Starts tasks and lets them continue, one at a time."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self._abandoned: list[Task] = []
        self._current: Task | None = None
        self._back = threading.Semaphore(0)
        self._closed = False

    def start(self, work: Callable[[], Any]) -> Task:
        """Return a new task, which has not run yet."""
        task = Task(work)
        self.tasks.append(task)
        return task

    def step(self, task: Task) -> None:
        """Let *task* run to its next stop."""
        assert task.ready
        self._current = task
        if task._thread is None:
            task._thread = threading.Thread(target=self._run, args=(task,), daemon=True)
            task._thread.start()
        else:
            task._go.release()
        if not self._back.acquire(timeout=_STUCK_S):
            raise AssertionError("a task waits for something that the scheduler does not know")
        self._current = None
        if task.done:
            self.tasks.remove(task)

    def stop_here(self, until: Callable[[], bool] | None = None) -> None:
        """Let other tasks run, and continue when *until* is true and this task is chosen."""
        task = self._current
        if task is None or self._closed:
            return
        task._may_go_on = until
        self._back.release()
        task._go.acquire()
        if self._closed:
            raise Gone
        task._may_go_on = None

    def abandon_all(self) -> None:
        """Forget all tasks: they belong to another process now."""
        self._abandoned += self.tasks
        self.tasks = []

    def close(self) -> None:
        """End every thread; threads that unwind do not stop anywhere."""
        self.abandon_all()
        self._closed = True
        for task in self._abandoned:
            if task._thread is not None:
                task._go.release()
                task._thread.join(_STUCK_S)
                assert not task._thread.is_alive()

    def _run(self, task: Task) -> None:
        try:
            task.value = task._work()
        except BaseException as error:  # noqa: BLE001 - an interrupt is an outcome too
            task.error = error
        task.done = True
        self._back.release()
