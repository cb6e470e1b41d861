"""The program that speaks to libvirt, started when it is needed; calls come from any thread."""

import contextlib
import itertools
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from nodelib.errors import Code, VirtnodeError

logger = logging.getLogger(__name__)

PROGRAM = Path(__file__).with_name("libvirt_program.py")
SYSTEM = "qemu:///system"
KEPT = 30.0
"""Seconds without a request after which it ends."""
CALL_TIMEOUT = 30.0
TRIES = 2


class Ended(Exception):
    """The program ended before it answered; `idle` where it had not begun either."""

    def __init__(self, *, idle: bool) -> None:
        super().__init__("the program ended")
        self.idle = idle


class GuestProgram:
    """One such program, or none at the moment."""

    def __init__(self, uri: str = SYSTEM, *, kept: float = KEPT, timeout: float = CALL_TIMEOUT) -> None:
        self._argv = (sys.executable, "-I", str(PROGRAM), uri, str(kept))
        self._timeout = timeout
        self._lock = threading.Lock()
        self._run: _Run | None = None
        self._stopped = False

    @property
    def pid(self) -> int | None:
        """The process, while there is one."""
        run = self._run
        return run.process.pid if run is not None and run.alive else None

    def call(self, verb: str, words: Mapping[str, object], patience: float = 0.0) -> Any:  # noqa: ANN401 - JSON
        """Ask it, and wait for the answer `patience` seconds longer than for others; raises VirtnodeError."""
        for _ in range(TRIES):
            run = self._running()
            try:
                answer = run.ask(verb, words).result(self._timeout + patience)
            except TimeoutError as error:
                run.kill()
                hint = "look at the journal of libvirt; restarting it leaves virtual machines alone"
                raise VirtnodeError(Code.UNAVAILABLE, "libvirt does not answer", hint) from error
            except Ended as error:
                if not error.idle:
                    break
                continue
            if "error" in answer:
                told = answer["error"]
                raise VirtnodeError(Code(told["code"]), told["message"], told["hint"])
            return answer["result"]
        raise VirtnodeError(
            Code.FAILED, "the program that speaks to libvirt ended", "try again; the journal may say why"
        )

    def stop(self) -> None:
        """End it for good."""
        with self._lock:
            self._stopped = True
            if self._run is not None:
                self._run.kill()

    def _running(self) -> "_Run":
        with self._lock:
            if self._stopped:
                raise VirtnodeError(Code.UNAVAILABLE, "the agent is stopping", "try again in a moment")
            if self._run is None or not self._run.alive:
                self._run = _Run(self._argv)
            return self._run


class _Run:
    """One run of the program; a thread reads what it says."""

    def __init__(self, argv: tuple[str, ...]) -> None:
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, start_new_session=True
        )
        self.alive = True
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._awaited: dict[int, Future[dict[str, Any]]] = {}
        threading.Thread(target=self._read, name="guests", daemon=True).start()

    def ask(self, verb: str, words: Mapping[str, object]) -> Future[dict[str, Any]]:
        """Send a request; the answer, or Ended, comes later."""
        future: Future[dict[str, Any]] = Future()
        with self._lock:
            if not self.alive:
                raise Ended(idle=True)
            number = next(self._numbers)
            self._awaited[number] = future
            assert self.process.stdin is not None
            # Whoever ended is noticed by the thread that reads.
            with contextlib.suppress(OSError):
                line = json.dumps({**words, "id": number, "verb": verb})
                self.process.stdin.write(f"{line}\n".encode())
                self.process.stdin.flush()
        return future

    def kill(self) -> None:
        """End it."""
        self.process.kill()

    def _read(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with self.process.stdout as answers:
            for line in answers:
                # One that was killed may have said half a line.
                if line.endswith(b"\n"):
                    self._settle(json.loads(line))
        status = self.process.wait()
        with self._lock:
            self.alive = False
            awaited, self._awaited = self._awaited, {}
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        if status:
            logger.warning("the program that speaks to libvirt ended with status %s", status)
        for future in awaited.values():
            future.set_exception(Ended(idle=status == 0))

    def _settle(self, answer: dict[str, Any]) -> None:
        with self._lock:
            future = self._awaited.pop(int(answer["id"]), None)
        if future is not None:
            future.set_result(answer)
