"""The worker's end of the protocol that README.md describes, and inputs like the runner's.

A script registers its rivals and serves them:

    @rival("some-library")
    def some_library(request):
        ...                     # import it here: what is missing is then reported
        return Prepared(call=..., result=lambda: array, version=..., ...)

    serve()
"""

import ctypes
import importlib
import json
import os
import re
import signal
import sys
import time
import zlib
from dataclasses import dataclass
from typing import Any, Callable

_RIVALS: dict[str, Callable[["Request"], "Prepared"]] = {}
_requirements = "requirements.txt"


class Refusal(Exception):
    """What cannot be done, in one line that also says what to do about it."""


@dataclass
class Request:
    """What to prepare for; see README.md."""

    kernel: str
    rival: str
    shape: dict[str, Any]
    seed: int
    threads: int
    cache: str
    copies: int
    output: str
    input: str = ""

    def cores(self) -> list[int]:
        """As many of the cores this process may use as there are threads."""
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < self.threads:
            raise Refusal(f"{self.threads} threads were asked for; {len(allowed)} cores are allowed")
        return allowed[: self.threads]


@dataclass
class Prepared:
    """Work that is ready to be timed."""

    call: Callable[[], Any]
    """Does it once, or `calls` times."""
    result: Callable[[], Any]
    """The array that the work leaves behind, of the dtype the runner expects."""
    title: str
    version: str
    dtype: str
    timed: str
    calls: int = 1
    # Kept by `_batch`: of the result when it was looked at last, how long that took, and calls since.
    digest: str = ""
    looked_s: float = 0.0
    since_s: float = 0.0


def rival(name: str):
    """Registers what prepares the rival of that name."""

    def register(prepare):
        _RIVALS[name] = prepare
        return prepare

    return register


def package(name: str):
    """An installed package, or a refusal that says how to install it."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Refusal(
            f"{error}; install the packages into the Python that is given: "
            f"{sys.executable} -m pip install -r benches/peers/{_requirements}"
        ) from error


def words(seed: int, stream: int, count: int):
    """The first 64-bit words of a stream: `harness/src/workload/random.rs` has the other copy."""
    numpy = package("numpy")
    step, mask = 0x9E3779B97F4A7C15, (1 << 64) - 1

    def mix(word):
        word = (word ^ (word >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        return word ^ (word >> numpy.uint64(31))

    start = mix(numpy.array([(seed + (stream + 1) * step) & mask], dtype=numpy.uint64))
    places = numpy.arange(1, count + 1, dtype=numpy.uint64)
    return mix(start + places * numpy.uint64(step))


def random_bytes(seed: int, stream: int, shape: tuple[int, ...], dtype: str):
    """Bytes over their whole range, as `uint8` or `int8`."""
    numpy = package("numpy")
    count = int(numpy.prod(shape))
    drawn = words(seed, stream, -(-count // 8)).astype("<u8").view(numpy.uint8)
    return numpy.ascontiguousarray(drawn[:count]).view(dtype).reshape(shape)


def random_floats(seed: int, stream: int, shape: tuple[int, ...]):
    """Numbers from 0 up to but without 1, as `float32`."""
    numpy = package("numpy")
    drawn = words(seed, stream, int(numpy.prod(shape))) >> numpy.uint64(40)
    return (drawn.astype(numpy.float32) / numpy.float32(1 << 24)).reshape(shape)


def serve(requirements: str = _requirements) -> None:
    """Answers requests until there are no more. What is not installed stands in `requirements`."""
    global _requirements
    _requirements = requirements
    _end_with_the_runner()
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    prepared = None
    for line in sys.stdin:
        try:
            asked = json.loads(line)
            if "go" in asked:
                answer = {"done": _batch(prepared, asked["go"])}
            else:
                prepared = None  # Its memory is wanted for the next.
                prepared, answer = _prepare(Request(**asked))
        except Refusal as refusal:
            answer = {"error": str(refusal)}
        except Exception as error:  # Whatever a library throws is to be read in one line.
            answer = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:400]}"}
        print(json.dumps(answer), file=answers, flush=True)


def _prepare(request: Request):
    prepare = _RIVALS.get(request.rival)
    if prepare is None:
        raise Refusal(f"there is no rival {request.rival!r}; there are {', '.join(_RIVALS)}")
    prepared = prepare(request)
    prepared.call()
    result = prepared.result().tobytes()
    with open(request.output, "wb") as output:
        output.write(result)
    ready = {
        "title": prepared.title,
        "version": prepared.version,
        "dtype": prepared.dtype,
        "timed": prepared.timed,
        "digest": f"{zlib.crc32(result):08x}",
    }
    return prepared, {"ready": ready}


def _batch(prepared: Prepared | None, calls: int):
    if prepared is None:
        raise Refusal("a batch was asked for and nothing is prepared; make a request first")
    call, runs = prepared.call, -(-calls // prepared.calls)
    before = _lost()
    start = time.perf_counter()
    for _ in range(runs):
        call()
    seconds = time.perf_counter() - start
    lost = {name: max(0, now - before[name]) for name, now in _lost().items() if name in before}
    # Some results are as dear as the work: they are looked at no longer than there is work.
    prepared.since_s += seconds
    if prepared.since_s >= prepared.looked_s:
        start = time.perf_counter()
        prepared.digest = f"{zlib.crc32(prepared.result().tobytes()):08x}"
        prepared.looked_s, prepared.since_s = time.perf_counter() - start, 0.0
    seconds *= calls / (runs * prepared.calls)
    return {"seconds": seconds, "digest": prepared.digest, "lost": lost}


def _lost() -> dict[str, int]:
    """What this process's threads lost to others so far, as far as the system tells: how often one
    was put off its core, and nanoseconds they waited for one."""
    lost = {}
    try:
        tasks = [f"/proc/self/task/{task}" for task in os.listdir("/proc/self/task")]
        waited = [open(f"{task}/schedstat").read().split()[1] for task in tasks]
        status = [open(f"{task}/status").read() for task in tasks]
        preempted = [re.search(r"nonvoluntary_ctxt_switches:\s*(\d+)", text)[1] for text in status]
        lost = {"preemptions": sum(map(int, preempted)), "waited_ns": sum(map(int, waited))}
    except (OSError, LookupError, TypeError, ValueError):
        pass  # No such system, or a thread that ended meanwhile: the runner has its own count.
    return lost


def _end_with_the_runner() -> None:
    """A runner that is killed cannot end a worker that it has stopped: the system does."""
    if sys.platform == "linux":
        parent_death_signal = 1
        ctypes.CDLL(None).prctl(parent_death_signal, signal.SIGKILL)
