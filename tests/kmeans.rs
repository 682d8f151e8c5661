//! K-Means against its definition: every instruction set, recipe and team must give the labels,
//! distances, centres and inertia of the plain loops, to the bit, for every type of points.

#[path = "kmeans/bytes.rs"]
mod bytes;
#[path = "kmeans/cells.rs"]
mod cells;
#[path = "kmeans/chunks.rs"]
mod chunks;
#[path = "kmeans/estimator.rs"]
mod estimator;
#[path = "kmeans/fits.rs"]
mod fits;
#[path = "kmeans/labels.rs"]
mod labels;
#[path = "kmeans/problem.rs"]
mod problem;
#[path = "kmeans/recorded.rs"]
mod recorded;
#[path = "kmeans/seeds.rs"]
mod seeds;
