//! Plain INT8 matrix products: u8 x i8, summed in i32, wrapping.

use super::abi::Gemm;
use super::{Baseline, Error};
use serde::Serialize;
use std::fmt;
use tilewise::Matrix;

/// Which loop runs outside which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[non_exhaustive]
pub enum Order {
    /// A row of the result is a sum of rows of the right operand; the innermost loop runs along
    /// both.
    #[serde(rename = "i-k-j")]
    Rows,
    /// A value of the result is a dot product; the right operand is stored transposed, so that
    /// the innermost loop runs along memory.
    #[serde(rename = "i-j-k, right operand transposed")]
    Dots,
}

impl Order {
    /// Every order there is.
    pub const ALL: [Order; 2] = [Order::Rows, Order::Dots];

    /// How reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Order::Rows => "i-k-j",
            Order::Dots => "i-j-k, right operand transposed",
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Both operands, the right one in the layout of every order.
#[derive(Clone, Debug)]
pub struct Operands {
    m: usize,
    n: usize,
    k: usize,
    lhs: Vec<u8>,
    rhs: Vec<i8>,
    transposed: Vec<i8>,
}

impl Operands {
    /// Copies `lhs` (m x k) and `rhs` (k x n), the latter also transposed. Not part of what is
    /// timed, as packing the weights is not on the other side.
    ///
    /// # Errors
    /// [`Error`] when the depths differ or a dimension is 0.
    pub fn new(lhs: Matrix<'_, u8>, rhs: Matrix<'_, i8>) -> Result<Self, Error> {
        let (m, n, k) = (lhs.rows(), rhs.cols(), lhs.cols());
        for (what, size) in [("m", m), ("n", n), ("k", k)] {
            Error::check_positive(what, size)?;
        }
        Error::check_length("a column of the right operand", rhs.rows(), k)?;
        let mut transposed = vec![0; n * k];
        for depth in 0..k {
            for (column, &value) in rhs.row(depth).iter().enumerate() {
                transposed[column * k + depth] = value;
            }
        }
        Ok(Operands {
            m,
            n,
            k,
            lhs: (0..m).flat_map(|row| lhs.row(row)).copied().collect(),
            rhs: (0..k).flat_map(|row| rhs.row(row)).copied().collect(),
            transposed,
        })
    }
}

impl Baseline {
    /// Writes `lhs * rhs` (m x n, row-major) to `out`.
    ///
    /// # Errors
    /// [`Error`] when `out` is not m x n long.
    pub fn gemm(self, order: Order, operands: &Operands, out: &mut [i32]) -> Result<(), Error> {
        let &Operands { m, n, k, ref lhs, ref rhs, ref transposed } = operands;
        Error::check_length("the result", out.len(), m * n)?;
        let table = self.0.table();
        let (function, rhs) = match order {
            Order::Rows => (table.gemm_rows, rhs),
            Order::Dots => (table.gemm_dots, transposed),
        };
        function(Gemm {
            lhs: lhs.as_slice().into(),
            rhs: rhs.as_slice().into(),
            out: out.into(),
            n,
            k,
        });
        Ok(())
    }
}
