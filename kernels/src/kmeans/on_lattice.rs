//! Putting centres on a lattice of bytes; `lattice` says what that is.

use super::Error;
use super::bytes::{Centres, Runs, bias};
use super::lattice::Lattice;
use super::recipe::Tile;
use super::source::Source;
use super::spread::Spread;
use crate::Matrix;
use crate::buffer::Buffer;
use crate::points::Element;
use crate::vector::{GROUP, Real};

/// Storage for centres on a lattice, and where the points lie that it is for.
#[derive(Clone, Debug)]
pub(super) struct OnLattice {
    levels: u8,
    runs: Runs,
    /// Of the points, and of the points and the centres.
    spread: Spread,
    both: Spread,
    bytes: Buffer<u8>,
    biases: Buffer<u32>,
    rows: Buffer<f32>,
}

impl OnLattice {
    pub(super) fn new(k: usize, d: usize, tile: Tile, levels: u8) -> Result<Self, Error> {
        let padded = k.next_multiple_of(tile.centres);
        Ok(OnLattice {
            levels,
            runs: Runs::new(k, tile),
            spread: Spread::new(d)?,
            both: Spread::new(d)?,
            bytes: Buffer::zeroed(padded.saturating_mul(d.next_multiple_of(GROUP)))?,
            biases: Buffer::zeroed(padded)?,
            rows: Buffer::zeroed(k.saturating_mul(d))?,
        })
    }

    /// Whether bytes are up to so much.
    pub(super) fn has(&self, levels: u8) -> bool {
        self.levels == levels
    }

    /// Looks at the points the lattice is going to be for.
    pub(super) fn observe<T: Element>(&mut self, source: &Source<'_, T>) -> Result<(), Error> {
        self.spread.observe(source)
    }

    /// Where the lattice begins: at a number of the points' kind.
    pub(super) fn corner<T: Element, C: Real>(
        &mut self,
        centres: Matrix<'_, C>,
        offset: &mut [f64],
    ) {
        self.both.copy(&self.spread);
        self.both.include(centres);
        for (offset, low) in offset.iter_mut().zip(&*self.both.low) {
            let low = T::offset_f64(T::offset(*low));
            *offset = if low.is_finite() { low } else { 0.0 };
        }
    }

    /// Puts centres on the lattice that begins at `offset`.
    pub(super) fn prepare<C: Real>(
        &mut self,
        centres: Matrix<'_, C>,
        offset: &[f64],
    ) -> Centres<'_> {
        let OnLattice { levels, runs, both, bytes, biases, rows, .. } = self;
        let d = offset.len();
        let lattice = Lattice::new(*levels, both.span(offset), d);
        let mut farthest = 0.0;
        let each = bytes.chunks_exact_mut(d.next_multiple_of(GROUP)).zip(rows.chunks_exact_mut(d));
        for (centre, (bytes, row)) in each.enumerate() {
            let (mut errors, mut sum, mut square) = (0.0, 0, 0);
            let features = centres.row(centre).iter().zip(offset);
            for ((&c, o), (byte, to)) in features.zip(bytes.iter_mut().zip(row)) {
                let moved = c.into() - o;
                *to = moved as f32;
                let (rounded, error) = lattice.round(moved);
                *byte = rounded;
                errors += error;
                sum += u32::from(rounded);
                square += u32::from(rounded) * u32::from(rounded);
            }
            let number = (centre % runs.each) as u32;
            biases[centre] = bias(sum, square, lattice.zero(), (d, runs.bits, number));
            farthest = f64::max(farthest, errors);
        }
        let groups = bytes.as_chunks().0;
        Centres { lattice: lattice.for_centres(farthest), groups, biases, rows }
    }
}
