"""As much of oneDNN's C interface as a product needs, through ctypes.

Frameworks call the library with weights as they lie; its own interface can choose their layout
first, which is faster, so that is what we race against.
"""

import ctypes as c

_CPU, _IN_ORDER = 1, 1
_TAG_ANY, _TAG_ROW_MAJOR = 1, 3
_TYPES = {"int32": 4, "int8": 5, "uint8": 6}
_SRC, _DST, _WEIGHTS = 1, 17, 33
_QUERY_WEIGHTS_LAYOUT = 131
_MOST_DIMENSIONS = 12
_LINE = 64


class _Version(c.Structure):
    _fields_ = [(name, c.c_int) for name in ("major", "minor", "patch")]


class _Argument(c.Structure):
    _fields_ = [("argument", c.c_int), ("memory", c.c_void_p)]


class Library:
    """The loaded library with an engine and a stream. Nothing is ever freed: a worker is short."""

    def __init__(self, path: str):
        self._library = c.CDLL(path)
        self._library.dnnl_version.restype = c.POINTER(_Version)
        version = self._library.dnnl_version().contents
        self.version = f"{version.major}.{version.minor}.{version.patch}"
        self._library.dnnl_primitive_desc_query_md.restype = c.c_void_p
        self._library.dnnl_memory_desc_get_size.restype = c.c_size_t
        self._engine = self._made("dnnl_engine_create", _CPU, c.c_size_t(0))
        self._stream = self._made("dnnl_stream_create", self._engine, _IN_ORDER)
        self._kept = []

    def _made(self, function: str, *arguments) -> c.c_void_p:
        handle = c.c_void_p()
        self._checked(function, c.byref(handle), *arguments)
        return handle

    def _checked(self, function: str, *arguments) -> None:
        status = getattr(self._library, function)(*arguments)
        if status != 0:
            raise RuntimeError(f"oneDNN: {function} gave status {status}")

    def _layout(self, array, tag: int) -> c.c_void_p:
        dimensions = (c.c_int64 * _MOST_DIMENSIONS)(*array.shape)
        kind = _TYPES[array.dtype.name]
        return self._made(
            "dnnl_memory_desc_create_with_tag", array.ndim, dimensions, kind, tag
        )

    def _memory(self, layout: c.c_void_p, address: int) -> c.c_void_p:
        return self._made("dnnl_memory_create", layout, self._engine, c.c_void_p(address))

    def _relaid(self, array, layout: c.c_void_p) -> c.c_void_p:
        """A copy of `array` in `layout`, on a cache line of its own."""
        size = self._library.dnnl_memory_desc_get_size(layout)
        room = c.create_string_buffer(size + _LINE)
        self._kept.append(room)
        start = c.addressof(room)
        target = self._memory(layout, start + -start % _LINE)
        plain = self._layout(array, _TAG_ROW_MAJOR)
        source = self._memory(plain, array.ctypes.data)
        engine = self._engine
        made = self._made("dnnl_reorder_primitive_desc_create", plain, engine, layout, engine, None)
        reorder = self._made("dnnl_primitive_create", made)
        arguments = (_Argument * 2)(_Argument(_SRC, source), _Argument(_DST, target))
        self._checked("dnnl_primitive_execute", reorder, self._stream, 2, arguments)
        self._checked("dnnl_stream_wait", self._stream)
        return target

    def matmul(self, lhs, weights: list, outs: list):
        """A function that multiplies `lhs` by each of `weights` into its place in `outs`."""
        rows = self._layout(lhs, _TAG_ROW_MAJOR)
        columns = self._layout(weights[0], _TAG_ANY)
        sums = self._layout(outs[0], _TAG_ROW_MAJOR)
        made = self._made(
            "dnnl_matmul_primitive_desc_create", self._engine, rows, columns, None, sums, None
        )
        query = self._library.dnnl_primitive_desc_query_md
        layout = c.c_void_p(query(made, _QUERY_WEIGHTS_LAYOUT, 0))
        primitive = self._made("dnnl_primitive_create", made)
        left = self._memory(rows, lhs.ctypes.data)
        calls = [
            (_Argument * 3)(
                _Argument(_SRC, left),
                _Argument(_WEIGHTS, self._relaid(array, layout)),
                _Argument(_DST, self._memory(sums, out.ctypes.data)),
            )
            for array, out in zip(weights, outs)
        ]
        self._kept += [lhs, outs]
        execute, wait = self._library.dnnl_primitive_execute, self._library.dnnl_stream_wait
        stream = self._stream

        def run() -> None:
            for arguments in calls:
                execute(primitive, stream, 3, arguments)
            wait(stream)

        run.keeps = self  # Whose buffers it uses.
        return run
