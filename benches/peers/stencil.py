"""Stencils: numba, pystencils, Halide and Devito, each by the fastest of a few configurations.

A library gets arrays in large pages, rows padded so that what is stored begins on a line and no
two rows or planes stand whole pages apart (pystencils and Devito see to that themselves), and the
time before its clock to try tile sizes. All leave the rim as it is; sums are taken in whatever order
is best. Waves are stepped in place on two buffers, by Devito on three.
"""

import atexit
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from fractions import Fraction
from math import factorial

from worker import Prepared, Refusal, Request, package, rival, serve

KINDS = {"heat5": (2, 1, False), "heat7": (3, 1, False), "wave25": (3, 4, True)}
"""Dimensions, radius, and whether it is of second order in time."""

ROUNDS, MANY = 3, 400_000_000
"""Choices are tried in turns, at most so often, each time for at least so many updates."""

HOPELESS = 1.5
"""A choice that takes so many times as long as the best is not tried again."""

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

    def long_enough(self, fused: int = 1) -> int:
        """Steps that take a time that can be told from others, a multiple of `fused`."""
        points = 1
        for axis in self.extent:
            points *= axis
        return fused * -(-MANY // (points * fused))

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


def prepared(
    request: Request, problem: Problem, choices, title, version, timed, fused: int = 1
) -> Prepared:
    """By the fastest of `choices`: names and what makes `Steps`. They take multiples of `fused` steps."""
    start, each = problem.start(), problem.long_enough(fused)
    made = [(name, make()) for name, make in choices]
    least = {}
    for _ in range(ROUNDS):
        for name, steps in made:
            if name not in least:
                steps.fill(start)
                steps.run(fused)
            begin = time.perf_counter()
            steps.run(each)
            least[name] = min(least.get(name, 1e9), time.perf_counter() - begin)
        most = HOPELESS * min(least.values())
        made = [(name, steps) for name, steps in made if least[name] <= most]
    name, steps = min(made, key=lambda each: least[each[0]])
    del made, start

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


LINE, PAGE, OFF = 64, 4096, 4
"""Two in bytes, and how many lines the rows of our own grids stand off whole pages."""


def padded(numpy, problem, count, beside=None):
    """Arrays with `beside` points or more on either side of the grid, and the slices of the grid.

    The first point that is stored stands on a line, rows are whole lines, and rows and planes
    stand off multiples of a page by as much as in our own grids.
    """
    beside = beside or [0] * problem.dimensions
    line, page = LINE // problem.dtype.itemsize, PAGE // problem.dtype.itemsize
    lead = beside[-1] + -(beside[-1] + problem.radius) % line
    width = -(-(lead + problem.extent[-1] + beside[-1]) // line) * line
    width += apart(width, page, OFF * line)
    shape = [points + 2 * frame for points, frame in zip(problem.extent, beside)]
    shape[-1] = width
    # A row is never near a page, so this ends.
    while problem.dimensions == 3 and apart(shape[1] * width, page, OFF * line) > 0:
        shape[1] += 1
    grid = [slice(frame, frame + points) for points, frame in zip(problem.extent, beside)]
    grid[-1] = slice(lead, lead + problem.extent[-1])
    size = width
    for points in shape[:-1]:
        size *= points
    arrays = []
    for index in range(count):
        # Not two at the same place of a page; not zeroed by the system, for large pages are asked
        # for only where numpy fills them.
        room = numpy.empty(size * problem.dtype.itemsize + PAGE * (count + 1), numpy.uint8)
        room[:] = 0
        skip = -room.ctypes.data % PAGE + LINE * 9 * index
        part = room[skip : skip + size * problem.dtype.itemsize]
        arrays.append(part.view(problem.dtype).reshape(shape))
    return arrays, tuple(grid)


def apart(numbers: int, whole: int, off: int) -> int:
    """How much is missing to be at least `off` away from a multiple of `whole`."""
    past = numbers % whole
    if past < off and numbers >= whole:
        return off - past
    return whole - past + off if past > whole - off else 0


@rival("numba")
def numba(request: Request) -> Prepared:
    """Loops as users write them, threads over planes, rows cut into tiles."""
    limit(request)
    library, numpy = package("numba"), package("numpy")
    problem = Problem(request)
    fields, grid = padded(numpy, problem, 3 if problem.wave else 2)
    medium = fields.pop() if problem.wave else fields[0]
    if problem.wave:
        medium[...] = 1
    step = library.njit(parallel=True, fastmath=True, nogil=True)(loops(problem, grid[-1].start))

    def steps(rows: int) -> Steps:
        def fill(start):
            for field in fields:
                field[grid] = start

        def run(count):
            for _ in range(count):
                step(fields[0], fields[1], medium, rows)
                fields.reverse()

        return Steps(fill, run, lambda: fields[0][grid])

    inner = problem.extent[-2] - 2 * problem.radius
    most = inner if problem.dimensions == 3 else -(-inner // problem.threads)
    sizes = [most] + [size for size in (16, 64) if size < most]
    choices = [(f"tiles of {rows} rows", lambda rows=rows: steps(rows)) for rows in sizes]
    timed = "a parallel jit function a step, fastmath"
    return prepared(request, problem, choices, "numba", library.__version__, timed)


def loops(problem: Problem, lead: int):
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
    columns = f"range({lead + r}, {lead + problem.extent[-1] - r})"
    height = problem.extent[-2] - 2 * r
    if plane:
        # Each thread has a band of rows.
        source = f"""
def step(now, new, medium, rows):
    inner = {height}
    for part in prange((inner + rows - 1) // rows):
        for y in range({r} + part * rows, {r} + min(inner, (part + 1) * rows)):
            for x in {columns}:
                new[y, x] = {update}
"""
    else:
        source = f"""
def step(now, new, medium, rows):
    planes, inner = now.shape[0] - {2 * r}, {height}
    tiles = (inner + rows - 1) // rows
    for part in prange(threads):
        for tile in range(tiles):
            for z in range({r} + part * planes // threads, {r} + (part + 1) * planes // threads):
                for y in range({r} + tile * rows, {r} + min(inner, (tile + 1) * rows)):
                    for x in {columns}:
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
    # Its settings are read as it is imported. What others set or compiled is not for us.
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ |= {"XDG_CACHE_HOME": folder, "XDG_CONFIG_HOME": folder}
    library = package("pystencils")
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

    blocks = (8, 16, 32, 64) if dimensions == 3 else ()
    sizes = [None] + [(0, rows, 0) for rows in blocks]
    choices = []
    for blocks in sizes:
        # In place, what is written was read: past the caches it would be fetched twice.
        stores = [False] if problem.wave else [True] if blocks else [True, False]
        for streaming in stores:
            kind = "streaming" if streaming else "ordinary"
            name = f"blocks {blocks or 'none'}, {kind} stores, {isa}"
            choices.append((name, lambda b=blocks, s=streaming: steps(b, s)))
    timed = "a compiled OpenMP kernel a step"
    return prepared(request, problem, choices, "pystencils", library.__version__, timed)


def halide_steps(request: Request, depths: list[int]) -> Prepared:
    """One step a pass, or several: intermediate ones in rings that follow the output."""
    limit(request)
    hl, numpy = package("halide"), package("numpy")
    problem = Problem(request)
    most = max(depths)
    if problem.wave and most > 1:
        raise Refusal("a wave of fused steps is not written here")
    r, dimensions = problem.radius, problem.dimensions
    kind = hl.Float(problem.dtype.itemsize * 8)
    lanes = hl.get_host_target().natural_vector_size(kind)
    extent = tuple(reversed(problem.extent))
    at = [hl.Var(name) for name in "xyz"[:dimensions]]
    x, y = at[0], at[1]
    problem.number = lambda value: hl.cast(kind, hl.f64(value))

    def build(fused, rows, planes, columns):
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
        strides = [stride // problem.dtype.itemsize for stride in reversed(frames[0].strides)]
        for axis, points in enumerate(extent):
            for param in [source, before, medium]:
                param.dim(axis).set_min(-lead[axis]).set_extent(shape[axis])
            result.dim(axis).set_min(r).set_extent(points - 2 * r)
            for param in [source, before, medium, result]:
                param.dim(axis).set_stride(strides[axis])
        return out, source, before, medium

    # Fused steps look past the grid at what never counts: a frame saves them a question each time.
    beside = [most * r if most > 1 else 0] * dimensions
    frames, grid = padded(numpy, problem, 3 if problem.wave else 2, beside)
    medium_frame = frames.pop() if problem.wave else None
    if problem.wave:
        medium_frame[...] = 1
    fields = [frame[grid] for frame in frames]
    lead = [part.start for part in reversed(grid)]
    shape = list(reversed(frames[0].shape))

    def steps(fused, *tiles) -> Steps:
        out, source, before, medium = build(fused, *tiles)

        def framed(frame):
            buffer = hl.Buffer(frame, "field")
            buffer.set_min([-points for points in lead])
            return buffer

        buffers = [framed(frame) for frame in frames]
        rest = [framed(medium_frame)] if problem.wave else []
        inner = []
        for field in fields:
            part = hl.Buffer(field[problem.inner], "inner")
            part.set_min([r] * dimensions)
            inner.append(part)
        compiled = out.compile_to_callable([source, before, medium] if problem.wave else [source])
        order = [0, 1]

        def fill(start):
            for field in fields:
                field[...] = start

        def run(count):
            assert count % fused == 0
            for _ in range(count // fused):
                now, new = order
                levels = [buffers[now], buffers[new]] if problem.wave else [buffers[now]]
                compiled(*levels, *rest, inner[new])
                order.reverse()

        # A buffer does not hold on to the array that it is of.
        return Steps(fill, run, lambda: (fields[order[0]], medium_frame)[0])

    # Of the outermost axis, for each thread as much.
    inner = [points - 2 * r for points in extent]
    each = -(-inner[-1] // problem.threads)
    sizes = []
    for fused in depths:
        if dimensions == 2:
            columns = [2048, inner[0]] if fused > 1 else [inner[0]]
            rows = (32, 128, each)
            sizes += [(fused, r, 1, most) for r in rows for most in columns if most <= inner[0]]
        else:
            rows = (32, 64) if fused > 1 else (16, 64, inner[1])
            sizes += [(fused, min(high, inner[1]), each, 1) for high in rows]
            sizes += [(fused, 64, 16, 1)] if fused == 1 else []
    names = []
    for fused, high, planes, wide in sizes:
        tile = f"{wide} points, {high} rows" if dimensions == 2 else f"{high} rows, {planes} planes"
        names.append((f"{fused} steps fused, " if fused > 1 else "") + f"tiles of {tile}")
    choices = [(name, lambda size=size: steps(*size)) for name, size in zip(names, sizes)]
    version = package("importlib.metadata").version("halide")
    timed = "a compiled pipeline for every pass"
    return prepared(request, problem, choices, "Halide", version, timed, max(depths))


@rival("halide")
def halide(request: Request) -> Prepared:
    return halide_steps(request, [1])


@rival("halide-fused")
def halide_fused(request: Request) -> Prepared:
    return halide_steps(request, [2, 4, 8])


@rival("devito")
def devito(request: Request) -> Prepared:
    """The time loop is its own too; a call of it has many steps, for it costs milliseconds."""
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
    # A call of it costs milliseconds beside its steps.
    calls = max(1, problem.long_enough(8) // problem.steps)

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


def large_pages() -> None:
    """Starts this process again with large pages for whatever asks for memory as C does."""
    name = "GLIBC_TUNABLES"
    if sys.platform == "linux" and name not in os.environ:
        os.environ[name] = "glibc.malloc.hugetlb=1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if __name__ == "__main__":
    large_pages()
    serve("requirements-stencil.txt")
