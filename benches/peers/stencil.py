"""Stencils: numba, pystencils, Halide and Devito, each by the fastest of a few configurations.

A library gets its own arrays, in the layout and with the padding it likes best, the time before
its clock to try tile sizes, and keeps the fastest. All leave the rim as it is; sums are taken in
whatever order is best. Waves are stepped in place on two buffers where the library can.
"""

import os
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from math import factorial

from worker import Prepared, Refusal, Request, package, rival, serve

KINDS = {
    "heat5": (2, 1, False),
    "heat7": (3, 1, False),
    "heat13": (3, 2, False),
    "heat25": (3, 4, False),
    "wave7": (3, 1, True),
    "wave13": (3, 2, True),
    "wave25": (3, 4, True),
}
"""Dimensions, radius, and whether it is of second order in time."""

THINNED = 7
"""Every so many of the outermost slices, from the first on, are the result."""


class Problem:
    """What is asked for, in numbers."""

    def __init__(self, request: Request):
        numpy = package("numpy")
        shape = request.shape
        if shape["kind"] not in KINDS:
            raise Refusal(f"there is no {shape['kind']!r} here; there are {', '.join(KINDS)}")
        self.dimensions, self.radius, self.wave = KINDS[shape["kind"]]
        self.extent = tuple(shape[axis] for axis in "zyx"[3 - self.dimensions :])
        self.steps, self.threads = shape["steps"], request.threads
        self.dtype = numpy.dtype({"f32": "float32", "f64": "float64"}[shape["dtype"]])
        self.name = shape["dtype"]
        self.coefficient = shape["coefficient"]
        self.input = request.input
        r = self.radius
        self.inner = tuple(slice(r, points - r) for points in self.extent)
        square = factorial(r) ** 2
        weights = [
            Fraction(2 * (-1) ** (k + 1) * square, k * k * factorial(r - k) * factorial(r + k))
            for k in range(1, r + 1)
        ]
        centre = 2 * self.dimensions * sum(weights)
        # Of the neighbours k away, and of the point itself, in the Laplacian.
        self.weights, self.centre = [float(weight) for weight in weights], -float(centre)

    def start(self):
        """The field that all start from. It is read anew each time: memory is dear."""
        return package("numpy").fromfile(self.input, self.dtype).reshape(self.extent)

    def thinned(self, field):
        return package("numpy").ascontiguousarray(field[::THINNED])

    def away(self, axis: int, k: int) -> list[tuple[int, ...]]:
        """The two offsets k away along an axis."""
        unit = [int(axis == other) for other in range(self.dimensions)]
        return [tuple(-k * part for part in unit), tuple(k * part for part in unit)]

    def update(self, at, before=None, medium=None):
        """The new value in whatever arithmetic `at(offset)` comes in."""
        zero = (0,) * self.dimensions
        scale = 1.0 if self.wave else self.coefficient
        centre = scale * self.centre + (0.0 if self.wave else 1.0)
        total = self.number(centre) * at(zero)
        for k, weight in enumerate(self.weights, 1):
            ring = None
            for axis in range(self.dimensions):
                for offset in self.away(axis, k):
                    ring = at(offset) if ring is None else ring + at(offset)
            total = total + self.number(scale * weight) * ring
        if not self.wave:
            return total
        speed = self.number(self.coefficient) * medium
        return self.number(2.0) * at(zero) - before + speed * total

    number = staticmethod(float)


@dataclass
class Steps:
    """A library's own arrays and how it steps them."""

    fill: object
    """Puts the start into all levels of the field."""
    run: object
    """So many steps."""
    now: object
    """The field, rim included, x fastest."""


def prepared(request: Request, problem: Problem, choices, title, version, timed) -> Prepared:
    """By the fastest of `choices`: names and what makes `Steps`."""
    best = None
    for name, make in choices:
        steps = make()
        steps.fill(problem.start())
        steps.run(2)
        start = time.perf_counter()
        steps.run(2)
        steps.run(2)
        seconds = time.perf_counter() - start
        if best is None or seconds < best[0]:
            best = (seconds, name, steps)
    _, name, steps = best

    def result():
        steps.fill(problem.start())
        steps.run(problem.steps)
        return problem.thinned(steps.now())

    return Prepared(
        call=lambda: steps.run(problem.steps),
        result=result,
        title=f"{title}, {name}",
        version=version,
        dtype=problem.name,
        timed=timed,
    )


def limit(request: Request) -> None:
    """As many threads as asked for, each on a core; before any library counts them."""
    cores = request.cores()
    os.sched_setaffinity(0, cores)
    os.environ |= {
        "OMP_NUM_THREADS": str(request.threads),
        "OMP_PROC_BIND": "close",
        "OMP_PLACES": "cores",
        "NUMBA_NUM_THREADS": str(request.threads),
        "HL_NUM_THREADS": str(request.threads),
    }


def aligned(numpy, extent, dtype, count):
    """Zeroed arrays at starts of lines and not the same number of bytes behind a page each."""
    arrays = []
    for index in range(count):
        points = 1
        for axis in extent:
            points *= axis
        room = numpy.zeros(points * dtype.itemsize + 4096 + 64 * 9 * count, numpy.uint8)
        skip = -room.ctypes.data % 4096 + 64 * 9 * index
        part = room[skip : skip + points * dtype.itemsize]
        arrays.append(part.view(dtype).reshape(extent))
    return arrays


@rival("numba")
def numba(request: Request) -> Prepared:
    """Loops as users write them, threads over planes, rows cut into tiles."""
    limit(request)
    library, numpy = package("numba"), package("numpy")
    problem = Problem(request)
    fields = aligned(numpy, problem.extent, problem.dtype, 2)
    medium = numpy.ones(problem.extent, problem.dtype) if problem.wave else fields[0]
    step = library.njit(parallel=True, fastmath=True, nogil=True)(loops(problem, numpy))

    def steps(rows: int) -> Steps:
        def fill(start):
            for field in fields:
                field[...] = start

        def run(count):
            for _ in range(count):
                step(fields[0], fields[1], medium, rows)
                fields.reverse()

        return Steps(fill, run, lambda: fields[0])

    most = problem.extent[-2]
    sizes = [most] + [size for size in (16, 64) if size < most]
    choices = [(f"tiles of {rows} rows", lambda rows=rows: steps(rows)) for rows in sizes]
    timed = "a parallel jit function a step, fastmath"
    return prepared(request, problem, choices, "numba", library.__version__, timed)


def loops(problem: Problem, numpy):
    """The function of a step, written out: numba takes the source of functions only.

    Points are found by indices of whole arrays: with an array for each row, which users also
    write, the compiler gives up on the 25 points of a wave (0.09 GLUP/s on two Zen 3 cores).
    """
    r, plane = problem.radius, problem.dimensions == 2
    axes = ["y", "x"] if plane else ["z", "y", "x"]

    def at(offset):
        places = [f"{axis} {off:+d}" if off else axis for axis, off in zip(axes, offset)]
        return Term(f"now[{', '.join(places)}]")

    here = ", ".join(axes)
    problem.number = lambda value: Term(f"number({value!r})")
    update = problem.update(at, Term(f"new[{here}]"), Term(f"medium[{here}]"))
    width = problem.extent[-1]
    if plane:
        # Each thread has a band of rows.
        source = f"""
def step(now, new, medium, rows):
    inner = now.shape[0] - {2 * r}
    for part in prange((inner + rows - 1) // rows):
        for y in range({r} + part * rows, {r} + min(inner, (part + 1) * rows)):
            for x in range({r}, {width - r}):
                new[y, x] = {update}
"""
    else:
        source = f"""
def step(now, new, medium, rows):
    planes, inner = now.shape[0] - {2 * r}, now.shape[1] - {2 * r}
    tiles = (inner + rows - 1) // rows
    for part in prange(threads):
        for tile in range(tiles):
            for z in range({r} + part * planes // threads, {r} + (part + 1) * planes // threads):
                for y in range({r} + tile * rows, {r} + min(inner, (tile + 1) * rows)):
                    for x in range({r}, {width - r}):
                        new[z, y, x] = {update}
"""
    names = {
        "prange": package("numba").prange,
        "number": problem.dtype.type,
        "threads": problem.threads,
    }
    exec(compile(source, "<a step>", "exec"), names)
    return names["step"]


class Term(str):
    """An expression as it is written."""

    def __add__(self, other):
        return Term(f"({str(self)} + {other})")

    def __sub__(self, other):
        return Term(f"({str(self)} - {other})")

    def __mul__(self, other):
        return Term(f"{str(self)} * {other}")


@rival("pystencils")
def pystencils(request: Request) -> Prepared:
    """Version 1.4: the last one whose stores go past the caches."""
    limit(request)
    library, numpy = package("pystencils"), package("numpy")
    # gcc's products belong to nobody else.
    os.environ.setdefault("XDG_CACHE_HOME", tempfile.mkdtemp())
    problem = Problem(request)
    r, dimensions = problem.radius, problem.dimensions
    inner = tuple(points - 2 * r for points in problem.extent)
    data = library.create_data_handling(inner, default_ghost_layers=r, default_layout="c")
    names = ["now", "new"] + (["medium"] if problem.wave else [])
    field = {
        name: data.add_array(name, dtype=problem.dtype, alignment=True, layout="c")
        for name in names
    }
    arrays = {name: data.cpu_arrays[name] for name in names}
    if problem.wave:
        arrays["medium"][...] = 1
    update = problem.update(
        lambda offset: field["now"][offset],
        field["new"].center,
        field["medium"].center if problem.wave else None,
    )
    assignment = library.Assignment(field["new"].center, update)
    flags = open("/proc/cpuinfo").read() if os.path.exists("/proc/cpuinfo") else ""
    isa = "avx512" if " avx512f " in flags else "avx" if " avx2 " in flags else "sse"

    def steps(blocks, streaming) -> Steps:
        config = library.CreateKernelConfig(
            data_type=problem.dtype.type,
            default_number_float=problem.dtype.type,
            cpu_openmp=problem.threads if problem.threads > 1 else False,
            cpu_blocking=blocks,
            cpu_vectorize_info={
                "instruction_set": isa,
                "assume_aligned": True,
                "nontemporal": streaming,
                "assume_inner_stride_one": True,
                # Or the rim beyond the end of a row is written.
                "assume_sufficient_line_padding": False,
            },
        )
        kernel = library.create_kernel(assignment, config=config).compile()
        pair = [arrays["now"], arrays["new"]]
        rest = {"medium": arrays["medium"]} if problem.wave else {}

        def fill(start):
            for array in pair:
                array[...] = start

        def run(count):
            for _ in range(count):
                kernel(now=pair[0], new=pair[1], **rest)
                pair.reverse()

        return Steps(fill, run, lambda: pair[0])

    sizes = [None, (0, 16, 0), (0, 64, 0)] if dimensions == 3 else [None]
    choices = []
    for blocks in sizes:
        # In place, what is written was read: past the caches it would be fetched twice.
        for streaming in [False] if problem.wave else [True, False]:
            stores = "streaming" if streaming else "ordinary"
            name = f"blocks {blocks or 'none'}, {stores} stores, {isa}"
            choices.append((name, lambda b=blocks, s=streaming: steps(b, s)))
    timed = "a compiled OpenMP kernel a step"
    return prepared(request, problem, choices, "pystencils", library.__version__, timed)


def halide_steps(request: Request, fused: int) -> Prepared:
    """One step a pass, or `fused` of them: intermediate ones in rings that follow the output."""
    limit(request)
    hl, numpy = package("halide"), package("numpy")
    problem = Problem(request)
    if problem.wave and fused > 1:
        raise Refusal("a wave of fused steps is not written here")
    r, dimensions = problem.radius, problem.dimensions
    kind = hl.Float(problem.dtype.itemsize * 8)
    lanes = hl.get_host_target().natural_vector_size(kind)
    extent = tuple(reversed(problem.extent))
    at = [hl.Var(name) for name in "xyz"[:dimensions]]
    x, y = at[0], at[1]
    problem.number = lambda value: hl.cast(kind, hl.f64(value))

    def build(rows, planes, columns):
        source = hl.ImageParam(kind, dimensions, "source")
        before = hl.ImageParam(kind, dimensions, "before")
        medium = hl.ImageParam(kind, dimensions, "medium")
        stages, now = [], source
        for stage in range(fused):
            function = hl.Func(f"stage{stage}")
            previous = now

            def value(offset):
                return previous[tuple(v + o for v, o in zip(at, reversed(offset)))]

            here = tuple(at)
            new = problem.update(value, before[here], medium[here])
            if stage < fused - 1:
                # The rim stays as it was.
                inside = None
                for axis, points in zip(at, extent):
                    part = (axis >= r) & (axis < points - r)
                    inside = part if inside is None else inside & part
                new = hl.select(hl.likely(inside), new, source[here])
            function[here] = new
            stages.append(function)
            now = function
        out = stages[-1]
        yo, yi, zo, zi, xo, xi = (hl.Var(name) for name in ("yo", "yi", "zo", "zi", "xo", "xi"))
        tail = hl.TailStrategy.GuardWithIf
        out.split(y, yo, yi, rows, tail)
        if dimensions == 3:
            out.split(at[2], zo, zi, planes, tail)
            out.reorder(x, yi, zi, yo, zo)
            task = hl.Var("task")
            out.fuse(yo, zo, task).parallel(task)
            store, compute = task, zi
        else:
            out.split(x, xo, xi, columns, tail).reorder(xi, yi, xo, yo)
            task = hl.Var("task")
            out.fuse(xo, yo, task).parallel(task)
            store, compute = task, yi
        for stage in stages[:-1]:
            stage.store_at(out, store).compute_at(out, compute).vectorize(x, lanes)
        # In place a point must not be stepped twice.
        last = tail if problem.wave else hl.TailStrategy.Auto
        out.vectorize(x if dimensions == 3 else xi, lanes, last)
        result = out.output_buffer()
        stride = 1
        for axis, points in enumerate(extent):
            for param in [source, before, medium]:
                param.dim(axis).set_min(-beside[axis]).set_extent(points + 2 * beside[axis])
            result.dim(axis).set_min(r).set_extent(points - 2 * r)
            for param in [source, before, medium, result]:
                param.dim(axis).set_stride(stride)
            stride *= points + 2 * beside[axis]
        return out, source, before, medium

    # Fused steps look past the grid at what never counts: a frame saves them a question each time.
    along = 0 if fused == 1 else -(-fused * r // lanes) * lanes
    beside = [along] + [(fused - 1) * r] * (dimensions - 1)
    framed = [points + 2 * frame for points, frame in zip(extent, beside)]
    frames = aligned(numpy, tuple(reversed(framed)), problem.dtype, 2)
    inside = tuple(slice(frame, frame + points) for points, frame in zip(extent, beside))
    fields = [frame[tuple(reversed(inside))] for frame in frames]
    ones = numpy.ones(problem.extent, problem.dtype) if problem.wave else None

    def steps(*tiles) -> Steps:
        out, source, before, medium = build(*tiles)
        buffers = [hl.Buffer(frame, "field") for frame in frames]
        for buffer in buffers:
            buffer.set_min([-frame for frame in beside])
        inner = []
        for field in fields:
            part = hl.Buffer(field[problem.inner], "inner")
            part.set_min([r] * dimensions)
            inner.append(part)
        rest = [hl.Buffer(ones, "medium")] if problem.wave else []
        compiled = out.compile_to_callable([source, before, medium] if problem.wave else [source])
        order = [0, 1]

        def fill(start):
            for field in fields:
                field[...] = start

        def run(count):
            for _ in range(max(1, count // fused)):
                now, new = order
                levels = [buffers[now], buffers[new]] if problem.wave else [buffers[now]]
                compiled(*levels, *rest, inner[new])
                order.reverse()

        # A buffer does not hold on to the array that it is of.
        return Steps(fill, run, lambda: (fields[order[0]], ones)[0])

    # Of the outermost axis, for each thread as much.
    inner = [points - 2 * r for points in extent]
    each = -(-inner[-1] // problem.threads)
    if dimensions == 2:
        columns = [512, 2048, inner[0]] if fused > 1 else [inner[0]]
        sizes = [(rows, 1, most) for rows in (32, 128, each) for most in columns if most <= inner[0]]
        names = [f"tiles of {most}x{rows}" for rows, _, most in sizes]
    else:
        rows = (16, 32, 64) if fused > 1 else (16, 64, inner[1])
        sizes = [(min(each_rows, inner[1]), each, 1) for each_rows in rows] + [(64, 16, 1)]
        names = [f"tiles of {rows} rows, {planes} planes" for rows, planes, _ in sizes]
    choices = [(name, lambda size=size: steps(*size)) for name, size in zip(names, sizes)]
    title = "Halide" if fused == 1 else f"Halide, {fused} steps fused"
    version = package("importlib.metadata").version("halide")
    timed = "a compiled pipeline a step" if fused == 1 else f"a compiled pipeline {fused} steps"
    return prepared(request, problem, choices, title, version, timed)


@rival("halide")
def halide(request: Request) -> Prepared:
    return halide_steps(request, 1)


@rival("halide-fused")
def halide_fused(request: Request) -> Prepared:
    return halide_steps(request, 4)


@rival("devito")
def devito(request: Request) -> Prepared:
    """The time loop is its own too; steps are many in a call of it, for a call costs milliseconds."""
    limit(request)
    os.environ |= {"DEVITO_LANGUAGE": "openmp", "DEVITO_LOGGING": "ERROR", "DEVITO_ARCH": "gcc"}
    os.environ.setdefault("DEVITO_AUTOTUNING", "off")
    library, numpy = package("devito"), package("numpy")
    problem = Problem(request)
    r = problem.radius
    inner = tuple(points - 2 * r for points in problem.extent)
    grid = library.Grid(shape=inner, dtype=problem.dtype.type)
    levels = 2 if problem.wave else 1
    u = library.TimeFunction(name="u", grid=grid, time_order=levels, space_order=2 * r)
    medium = None
    if problem.wave:
        medium = library.Function(name="m", grid=grid, space_order=0)
        medium.data[...] = 1
    axes = grid.dimensions

    def at(offset):
        return u.subs({axis: axis + off * axis.spacing for axis, off in zip(axes, offset) if off})

    update = problem.update(at, u.backward, medium)
    operator = library.Operator(
        [library.Eq(u.forward, update)], subs=grid.spacing_map, opt="advanced", name="Step"
    )
    # The rim lies in the halo, which is at least as wide.
    whole = u.data_with_halo
    wide = [(have - want) // 2 for have, want in zip(whole.shape[1:], problem.extent)]
    part = tuple(slice(skip, skip + points) for skip, points in zip(wide, problem.extent))
    at_step = [levels - 1]

    def fill(start):
        for level in range(whole.shape[0]):
            u.data_with_halo[(level, *part)] = start

    def run(count):
        first = at_step[0]
        operator.apply(time_m=first, time_M=first + count - 1, nthreads=problem.threads, **tuned)
        at_step[0] = first + count

    def now():
        return numpy.asarray(u.data_with_halo[(at_step[0] % whole.shape[0], *part)])

    fill(problem.start())
    # Twice, for its tuner takes the time of its first configuration cold; what it found is only
    # remembered, so that it must be given again.
    tuned = {"autotune": ("aggressive", "preemptive")}
    for _ in range(2):
        run(2)
    tuned = dict(operator._state["autotuning"][-1].get("tuned", {}))
    tuned.pop("nthreads", None)
    blocks = "x".join(str(size) for size in tuned.values())
    calls = 1 if problem.steps > 1 else 8

    def result():
        fill(problem.start())
        run(problem.steps)
        return problem.thinned(now())

    return Prepared(
        call=lambda: run(problem.steps * calls),
        result=result,
        title=f"Devito, OpenMP, {blocks or 'no blocks'} by its own tuner",
        version=package("importlib.metadata").version("devito"),
        dtype=problem.name,
        timed="apply of an operator, many steps in a call",
        calls=calls,
    )


if __name__ == "__main__":
    serve("requirements-stencil.txt")
