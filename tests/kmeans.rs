//! K-Means against its definition: every instruction set, recipe and team must give the labels,
//! distances, centres and inertia of the plain loops, to the bit, for every type of points.

#[path = "kmeans/bytes.rs"]
mod bytes;
#[path = "kmeans/cells.rs"]
mod cells;
#[path = "kmeans/chunks.rs"]
mod chunks;
#[path = "kmeans/clusters.rs"]
mod clusters;
#[path = "kmeans/distinct.rs"]
mod distinct;
#[path = "kmeans/estimator.rs"]
mod estimator;
#[path = "kmeans/fits.rs"]
mod fits;
#[path = "kmeans/labels.rs"]
mod labels;
#[path = "kmeans/mapped.rs"]
mod mapped;
#[path = "kmeans/problem.rs"]
mod problem;
#[path = "kmeans/recorded.rs"]
mod recorded;
#[path = "kmeans/refusals.rs"]
mod refusals;
#[path = "kmeans/seeds.rs"]
mod seeds;
#[path = "kmeans/starts.rs"]
mod starts;
#[path = "kmeans/sums.rs"]
mod sums;
#[path = "kmeans/threads.rs"]
mod threads;
