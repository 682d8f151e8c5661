"""Records what scikit-learn's KMeans makes of a grid of cases, for tests/kmeans/recorded.rs.

    python -m venv VENV && VENV/bin/pip install -r benches/peers/requirements-kmeans.txt
    VENV/bin/python benches/peers/record_kmeans.py > tests/data/kmeans-scikit-learn.jsonl

The first line names the versions; each further line is a case. Points are not stored: they come
from hashes of their places, by arithmetic that the test repeats to the bit. The records are of two
threads: with another number of them, sums differ in their last bits.
"""

import json
import platform
import sys
import warnings

import numpy as np
import scipy
import sklearn
from sklearn.cluster import KMeans, kmeans_plusplus

MASK = (1 << 64) - 1


def fraction(seed, index):
    """A number from [0, 1): the splitmix64 hash of a place."""
    z = (seed * 0x9E3779B97F4A7C15 + index * 0xD1342543DE82EF95 + 0x632BE59BD9B4E019) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return ((z ^ (z >> 31)) >> 11) / (1 << 53)


def value(case, row, column):
    kind, d, seed = case["kind"], case["d"], case["seed"]
    at = row * d + column
    if kind == "uniform":
        return fraction(seed, at)
    if kind == "places":  # nine places, each many times over
        place = int(fraction(seed + 1, row) * 9)
        return fraction(seed, place * d + column) * 8.0
    blob = int(fraction(seed + 1, row) * 7)
    middle = fraction(seed + 2, blob * d + column) * 10.0
    noise = (fraction(seed, at) + fraction(seed + 3, at)) + fraction(seed + 4, at)
    offset = 1000.0 if kind == "offset" else 0.0
    if kind == "bytes":
        return float(int(middle * 22.0 + noise * 10.0))
    return (offset + middle) + noise


def points(case):
    rows = [[value(case, row, column) for column in range(case["d"])] for row in range(case["n"])]
    return np.array(rows, dtype={"f32": np.float32, "f64": np.float64, "u8": np.uint8}[case["dtype"]])


def weights(case):
    if not case["weighted"]:
        return None
    # Quarters, so that f32 has them too; some are 0.
    return np.array([int(fraction(case["seed"] + 5, row) * 5) / 4 for row in range(case["n"])])


def start(case, x):
    """Given centres: points, or for "far" mostly places where nobody is."""
    rows = x[[int(fraction(case["seed"] + 6, j) * len(x)) for j in range(case["k"])]].astype(np.float64)
    if case["init"] == "far":
        rows[1 : 1 + case["far"]] += 1e4
    return rows


def init_of(case, x):
    """What scikit-learn is told to start from."""
    return case["init"] if case["init"] in ("k-means++", "random") else start(case, x)


def fitted(case, x):
    """What scikit-learn makes of a case, from its points as they are or in another precision."""
    kmeans = KMeans(
        case["k"], init=init_of(case, x), n_init=case["n_init"] or "auto",
        max_iter=case["max_iter"], tol=case["tol"],
        random_state=np.random.RandomState(case["seed"]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kmeans.fit(x, sample_weight=weights(case))


def seeds(case, x):
    """The points that the first start of k-means++ begins with; None where it is not asked for."""
    if case["init"] != "k-means++":
        return None
    floats = x.astype(np.float64) if x.dtype == np.uint8 else x
    centred = floats - floats.mean(axis=0)
    state = np.random.RandomState(case["seed"])
    _, chosen = kmeans_plusplus(centred, case["k"], sample_weight=weights(case), random_state=state)
    return chosen.tolist()


def record(case):
    x, w, k = points(case), weights(case), case["k"]
    draws = []
    if case["init"] in ("k-means++", "random"):
        trials = 2 + int(np.log(k))
        each = 1 + (k - 1) * trials if case["init"] == "k-means++" else 2 * k + 8
        starts = case["n_init"] or (1 if case["init"] == "k-means++" else 10)
        draws = np.random.RandomState(case["seed"]).random_sample(each * starts).tolist()
    fit = fitted(case, x)
    if case["init"] == "k-means++":
        case["seeds"] = seeds(case, x)
    case["draws"] = draws
    case["labels"] = fit.labels_.tolist()
    case["centres"] = [[float(c) for c in row] for row in fit.cluster_centers_]
    case["n_iter"] = fit.n_iter_
    case["inertia"] = float(fit.inertia_)
    case["score"] = float(fit.score(x[:50], sample_weight=None if w is None else w[:50]))
    return case


def sturdy(case):
    """Whether scikit-learn finds the same in both precisions: what rounding decides is no case."""
    x = points(case)
    found = []
    for as_floats in [x.astype(np.float32), x.astype(np.float64)]:
        fit = fitted(case, as_floats)
        found.append((fit.labels_.tolist(), fit.n_iter_, seeds(case, as_floats)))
    return found[0] == found[1]


def cases():
    """Every option in several shapes; a case is a dictionary of plain values."""
    base = {"kind": "blobs", "n": 200, "d": 3, "k": 5, "dtype": "f64", "weighted": False,
            "init": "k-means++", "n_init": 1, "tol": 1e-4, "max_iter": 300, "far": 0}
    seed = 0
    changes = []
    for n, d, k in [(120, 1, 4), (150, 2, 10), (200, 3, 16), (80, 8, 5), (90, 16, 12), (60, 64, 5),
                    (100, 3, 1), (64, 2, 64), (60, 40, 9)]:
        for init in ["k-means++", "random", "given"]:
            # As many centres as points: with f32 sums every choice is a near-tie.
            for dtype in ["f64"] if n == k else ["f64", "f32"]:
                changes.append({"n": n, "d": d, "k": k, "init": init, "dtype": dtype})
    for weighted in [False, True]:
        for kind in ["uniform", "blobs", "offset", "bytes", "places"]:
            for init in ["k-means++", "random", "given"]:
                dtype = "u8" if kind == "bytes" else "f64"
                changes.append({"kind": kind, "init": init, "weighted": weighted, "dtype": dtype})
    for tol in [0.0, 1e-6, 1e-2, 1.0]:
        changes.append({"kind": "uniform", "tol": tol, "n": 300, "d": 2, "k": 8, "init": "given"})
    for most in [1, 2, 3, 7]:
        changes.append({"kind": "uniform", "max_iter": most, "n": 200, "d": 2, "k": 8})
    for n_init in [3, 5]:
        for init in ["k-means++", "random"]:
            changes.append({"kind": "uniform", "n_init": n_init, "init": init, "n": 120, "k": 6})
    for far in [1, 2, 4]:
        for weighted in [False, True]:
            changes.append({"init": "far", "far": far, "k": 6, "weighted": weighted})
    # More centres than places: what scikit-learn then does, its rounding decides.
    changes.append({"kind": "places", "k": 12, "n": 60})
    changes.append({"kind": "places", "k": 12, "n": 60, "init": "given"})
    for dtype in ["f32", "f64"]:
        for init in ["k-means++", "random", "given"]:
            for k in [3, 7]:
                changes.append({"kind": "offset", "dtype": dtype, "init": init, "k": k})
    for n, d, k in [(400, 4, 100), (500, 9, 150)]:
        for init in ["k-means++", "random", "given"]:
            changes.append({"kind": "uniform", "n": n, "d": d, "k": k, "init": init})
    # As many starts as scikit-learn takes by itself.
    for kind in ["uniform", "blobs"]:
        for init in ["k-means++", "random"]:
            changes.append({"kind": kind, "n_init": None, "init": init, "n": 120, "k": 6})
    for change in changes:
        seed += 10
        yield {**base, **change, "seed": seed}
    # With the first seeds whose points leave nothing to rounding.
    for change in narrow_changes():
        case = {**base, **change, "n": 100, "k": 6}
        further = range(seed + 10, seed + 1000, 10)
        seed = next(seed for seed in further if sturdy({**case, "seed": seed}))
        yield {**case, "seed": seed}


def narrow_changes():
    """Every start and every way to end, of f32 and of u8."""
    for dtype, kind in [("f32", "uniform"), ("u8", "bytes")]:
        for end in [{"tol": 0.0}, {"tol": 1e-2}, {"max_iter": 2}, {"n_init": 3}]:
            for weighted in [False, True]:
                for init in [{"init": "k-means++"}, {"init": "random"}, {"init": "given"},
                             {"init": "far", "far": 1 + weighted}]:
                    yield {"dtype": dtype, "kind": kind, "weighted": weighted, **end, **init}


def main():
    versions = {"scikit-learn": sklearn.__version__, "numpy": np.__version__,
                "scipy": scipy.__version__, "python": platform.python_version()}
    print(json.dumps(versions))
    for case in cases():
        print(json.dumps(record(case), separators=(",", ":")))


if __name__ == "__main__":
    sys.exit(main())
