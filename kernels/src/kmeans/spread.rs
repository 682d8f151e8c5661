//! Where points lie, by a sample: the least and the greatest value of every feature.

use super::Error;
use super::held::{Held, Piece};
use super::source::Source;
use crate::Matrix;
use crate::buffer::Buffer;
use crate::points::{BLOCK, Element};

/// Blocks of points looked at, evenly spaced: of 4096 points the next one is outside in one feature
/// of two thousand.
const SAMPLE: usize = 64;

/// The least and the greatest of every feature.
#[derive(Clone, Debug)]
pub(super) struct Spread {
    pub(super) low: Buffer<f64>,
    pub(super) high: Buffer<f64>,
}

impl Spread {
    /// Room for `d` features, not to be relied on before [`Spread::observe`] or [`Spread::copy`].
    pub(super) fn new(d: usize) -> Result<Self, Error> {
        Ok(Spread { low: Buffer::zeroed(d)?, high: Buffer::zeroed(d)? })
    }

    /// Becomes what another is.
    pub(super) fn copy(&mut self, other: &Spread) {
        self.low.copy_from_slice(&other.low);
        self.high.copy_from_slice(&other.high);
    }

    /// Looks at some points, and forgets all others.
    pub(super) fn observe<T: Element>(&mut self, source: &Source<'_, T>) -> Result<(), Error> {
        self.low.fill(f64::INFINITY);
        self.high.fill(f64::NEG_INFINITY);
        let (blocks, sample) = (source.blocks(), SAMPLE.min(source.blocks()));
        for index in 0..sample {
            let block = index * blocks / sample;
            let looked = source.each(block..block + 1, |piece| {
                self.look(&piece);
                Ok(())
            });
            match looked {
                // Who labels the points meets the first of those that are not finite.
                Ok(()) | Err(Error::Points(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn look<T: Element>(&mut self, piece: &Piece<'_, T>) {
        match piece.held {
            Held::Blocks(points) => {
                let columns = points.block(piece.blocks.start).chunks_exact(BLOCK);
                for (feature, column) in columns.enumerate() {
                    for &x in &column[..piece.points.len()] {
                        self.take(feature, x.into());
                    }
                }
            }
            Held::Rows(rows) => {
                let start = piece.blocks.start * BLOCK;
                self.include(rows.slice_rows(start..start + piece.points.len()));
            }
        }
    }

    /// Takes in the rows of a matrix.
    pub(super) fn include<T: Copy + Into<f64>>(&mut self, rows: Matrix<'_, T>) {
        for row in 0..rows.rows() {
            for (feature, &x) in rows.row(row).iter().enumerate() {
                self.take(feature, x.into());
            }
        }
    }

    #[inline(always)]
    fn take(&mut self, feature: usize, x: f64) {
        let (low, high) = (&mut self.low[feature], &mut self.high[feature]);
        *low = if x < *low { x } else { *low };
        *high = if x > *high { x } else { *high };
    }

    /// The greatest range of a feature that begins at `offset`.
    pub(super) fn span(&self, offset: &[f64]) -> f64 {
        self.high.iter().zip(offset).fold(0.0, |span, (high, low)| f64::max(span, high - low))
    }
}
