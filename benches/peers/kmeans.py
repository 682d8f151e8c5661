"""K-Means: scikit-learn, Intel's extension of it, and faiss, each as its users call it."""

import os

from worker import Prepared, Refusal, Request, package, rival, serve


class Inputs:
    """Points, centres and draws as the runner wrote them: the points' rows, then `f64` only."""

    def __init__(self, request: Request):
        numpy = package("numpy")
        shape = request.shape
        self.n, self.d, self.k = (shape[name] for name in "ndk")
        self.iterations = shape["iterations"]
        kind = {"f32": numpy.float32, "f64": numpy.float64, "u8": numpy.float32}[shape["dtype"]]
        data = open(request.input, "rb").read()
        size = self.n * self.d * numpy.dtype(kind).itemsize
        self.points = numpy.frombuffer(data[:size], kind).reshape(self.n, self.d).copy()
        rest = numpy.frombuffer(data[size:], numpy.float64)
        count = self.k * self.d
        self.centres = rest[:count].reshape(self.k, self.d).astype(kind)
        self.draws = rest[count:].copy()


def drawn(draws):
    """A random state that gives the numbers the runner drew."""
    numpy = package("numpy")

    class Drawn(numpy.random.RandomState):
        def __init__(self):
            super().__init__(0)
            self.at = 0

        def random_sample(self, size=None):
            count = 1 if size is None else int(numpy.prod(size))
            taken = draws[self.at : self.at + count]
            self.at += count
            return float(taken[0]) if size is None else taken.reshape(size)

        def uniform(self, low=0.0, high=1.0, size=None):
            return low + (high - low) * self.random_sample(size)

        def choice(self, a, size=None, replace=True, p=None):
            running = numpy.full(a, 1 / a) if p is None else numpy.asarray(p, numpy.float64)
            running = running.cumsum()
            running /= running[-1]
            return int(running.searchsorted(self.random_sample(), side="right"))

    return Drawn()


def limit(request: Request) -> None:
    """As many threads as asked for; before any library counts them."""
    os.environ["OMP_NUM_THREADS"] = str(request.threads)
    os.sched_setaffinity(0, request.cores())


def estimator(request: Request, version: str, title: str) -> Prepared:
    """Whatever `sklearn` is by now."""
    cluster = package("sklearn.cluster")
    numpy, metrics = package("numpy"), package("sklearn.metrics")
    inputs = Inputs(request)
    x, k, start, kernel = inputs.points, inputs.k, inputs.centres, request.kernel
    kept = {}
    if kernel == "kmeans-predict":
        # Centres fitted to themselves: what is set from outside, the extension does not see.
        model = cluster.KMeans(k, init=start, n_init=1, max_iter=1).fit(numpy.repeat(start, 2, 0))

        def call():
            kept["result"] = model.predict(x)

        timed = "predict of a fitted model: a row-major array in, labels out"
    elif kernel == "kmeans-argmin":

        def call():
            kept["result"] = metrics.pairwise_distances_argmin(x, start)

        timed = "pairwise_distances_argmin: row-major arrays in, labels out"
    elif kernel == "kmeans-lloyd":
        model = cluster.KMeans(k, init=start, n_init=1, max_iter=inputs.iterations, tol=0.0)

        def call():
            kept["result"] = model.fit(x).cluster_centers_

        timed = "fit from given centres, tol=0: a row-major array in, labels and centres out"
    elif kernel == "kmeans-fit":

        def call():
            model = cluster.KMeans(k, n_init=1, random_state=drawn(inputs.draws))
            kept["result"] = model.fit(x).cluster_centers_

        timed = "fit, greedy k-means++ included: a row-major array in, labels and centres out"
    elif kernel == "kmeans-seed":
        if title != "scikit-learn":
            raise Refusal("its k-means++ is scikit-learn's own function")

        def call():
            kept["result"] = cluster.kmeans_plusplus(x, k, random_state=drawn(inputs.draws))[0]

        timed = "kmeans_plusplus: a row-major array in, centres out"
    else:
        raise Refusal(f"there is no kernel {kernel!r} here")

    def result():
        kind = numpy.int32 if kernel in ("kmeans-predict", "kmeans-argmin") else numpy.float32
        return kept["result"].astype(kind)

    dtype = "f32" if request.shape["dtype"] == "u8" else request.shape["dtype"]
    return Prepared(call, result, title, version, dtype, timed)


@rival("scikit-learn")
def scikit_learn(request: Request) -> Prepared:
    limit(request)
    return estimator(request, package("sklearn").__version__, "scikit-learn")


@rival("sklearnex")
def sklearnex(request: Request) -> Prepared:
    limit(request)
    extension = package("sklearnex")
    extension.patch_sklearn(verbose=False)
    version = package("importlib.metadata").version("scikit-learn-intelex")
    return estimator(request, version, "Intel's extension of scikit-learn")


@rival("faiss")
def faiss(request: Request) -> Prepared:
    """f32 only, and neither greedy k-means++ nor a tolerance: given centres and labels alone."""
    limit(request)
    library = package("faiss")
    library.omp_set_num_threads(request.threads)
    inputs = Inputs(request)
    if inputs.points.dtype != "float32":
        raise Refusal("it has f32 only")
    x, k, d, start = inputs.points, inputs.k, inputs.d, inputs.centres
    kept = {}
    if request.kernel in ("kmeans-predict", "kmeans-argmin"):
        index = library.IndexFlatL2(d)
        index.add(start)

        def call():
            kept["result"] = index.search(x, 1)[1][:, 0]

        kind, timed = "int32", "search of an IndexFlatL2, k=1: a row-major array in, labels out"
    elif request.kernel == "kmeans-lloyd":

        def call():
            fit = library.Kmeans(
                d, k, niter=inputs.iterations, max_points_per_centroid=inputs.n,
                min_points_per_centroid=1,
            )
            fit.train(x, init_centroids=start)
            fit.index.search(x, 1)
            kept["result"] = fit.centroids

        kind = "float32"
        timed = "Kmeans.train on all points from given centres, then the labels by a search"
    else:
        raise Refusal("it has no greedy k-means++")
    return Prepared(
        call=call,
        result=lambda: kept["result"].astype(kind),
        title="faiss",
        version=library.__version__,
        dtype="f32",
        timed=timed,
    )


if __name__ == "__main__":
    serve("requirements-kmeans.txt")
