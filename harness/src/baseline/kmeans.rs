//! Plain K-Means assignment: the nearest centre of every point, f32.

use super::abi::{Assign, BLOCK, FEW};
use super::{Baseline, Error};
use serde::Serialize;
use std::fmt;
use tilewise::Matrix;

/// Which loop runs outside which, and how the points lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Order {
    /// Array of structures: for each point, for each centre, for each feature.
    #[serde(rename = "array of structures, point-outer")]
    Points,
    /// Array of structures: for each point, for each feature, for each centre; the centres are
    /// stored transposed.
    #[serde(rename = "array of structures, centres in lanes")]
    CentresInLanes,
    /// Array of structures: a few rows at a time are turned to columns, then as
    /// [`Order::PointsInLanes`].
    #[serde(rename = "array of structures, turned to columns, points in lanes")]
    Turned,
    /// Structure of arrays: for each block of points, for each centre, for each feature.
    #[serde(rename = "blocked structure of arrays, centre-outer")]
    Centres,
    /// Structure of arrays: for each few points, as many as registers hold, for each centre.
    #[serde(rename = "blocked structure of arrays, points in lanes")]
    PointsInLanes,
}

impl Order {
    /// Every order there is.
    pub const ALL: [Order; 5] =
        [Order::Points, Order::CentresInLanes, Order::Turned, Order::Centres, Order::PointsInLanes];

    /// Those that are given rows of features: what a user has.
    pub const FROM_ROWS: [Order; 3] = [Order::Points, Order::CentresInLanes, Order::Turned];

    /// Those that stay with rows of features, an array of structures, all through.
    pub const ARRAY_OF_STRUCTURES: [Order; 2] = [Order::Points, Order::CentresInLanes];

    /// Those that read blocks with the features apart, a blocked structure of arrays.
    pub const STRUCTURE_OF_ARRAYS: [Order; 2] = [Order::Centres, Order::PointsInLanes];

    /// How reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Order::Points => "array of structures, point-outer",
            Order::CentresInLanes => "array of structures, centres in lanes",
            Order::Turned => "array of structures, turned to columns, points in lanes",
            Order::Centres => "blocked structure of arrays, centre-outer",
            Order::PointsInLanes => "blocked structure of arrays, points in lanes",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Points and centres in the layout of every order.
#[derive(Clone, Debug)]
pub struct Operands {
    dims: usize,
    rows: Vec<f32>,
    blocks: Vec<f32>,
    centres: Vec<f32>,
    transposed: Vec<f32>,
}

impl Operands {
    /// Copies `points` (n x d) and `centres` (k x d) into the layouts of all orders. Not part of
    /// what is timed, which favours the plain code where the other side starts from rows.
    ///
    /// # Errors
    /// [`Error`] when the dimensions differ, or when there is no point, centre or dimension.
    pub fn new(points: Matrix<'_, f32>, centres: Matrix<'_, f32>) -> Result<Self, Error> {
        let (n, k, dims) = (points.rows(), centres.rows(), points.cols());
        for (what, size) in [("points", n), ("centres", k), ("dimensions", dims)] {
            Error::check_positive(what, size)?;
        }
        Error::check_length("a centre", centres.cols(), dims)?;
        let mut blocks = vec![0.0; n.next_multiple_of(BLOCK) * dims];
        for index in 0..n {
            let block = &mut blocks[index / BLOCK * BLOCK * dims..];
            for (feature, &x) in points.row(index).iter().enumerate() {
                block[feature * BLOCK + index % BLOCK] = x;
            }
        }
        let mut transposed = vec![0.0; k * dims];
        for index in 0..k {
            for (feature, &x) in centres.row(index).iter().enumerate() {
                transposed[feature * k + index] = x;
            }
        }
        let copy = |matrix: Matrix<'_, f32>| -> Vec<f32> {
            (0..matrix.rows()).flat_map(|row| matrix.row(row)).copied().collect()
        };
        Ok(Operands { dims, rows: copy(points), blocks, centres: copy(centres), transposed })
    }

    fn points(&self) -> usize {
        self.rows.len() / self.dims
    }
}

impl Baseline {
    /// Writes the index of every point's nearest centre (the first of equals).
    ///
    /// # Errors
    /// [`Error`] when there is not a label a point.
    pub fn assign(
        self,
        order: Order,
        operands: &Operands,
        labels: &mut [u32],
    ) -> Result<(), Error> {
        Error::check_length("labels", labels.len(), operands.points())?;
        let Operands { dims, rows, blocks, centres, transposed } = operands;
        let table = self.0.table();
        let (function, points, centres) = match order {
            Order::Points => (table.assign_rows, rows, centres),
            Order::CentresInLanes => (table.assign_rows_lanes, rows, transposed),
            Order::Turned => (table.assign_rows_turned, rows, centres),
            Order::Centres => (table.assign_blocks, blocks, centres),
            Order::PointsInLanes => (table.assign_blocks_lanes, blocks, centres),
        };
        let mut room = vec![0.0; (centres.len() / dims).max(FEW * dims)];
        function(Assign {
            points: points.as_slice().into(),
            centres: centres.as_slice().into(),
            labels: labels.into(),
            room: room.as_mut_slice().into(),
            dims: *dims,
        });
        Ok(())
    }
}
