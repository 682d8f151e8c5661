//! How the driver reads its operands: in place where they lie as a product reads them, else made
//! ready block by block.

use super::table::MAX_ROWS;
use crate::matrix::Matrix;
use crate::product::Product;
use core::ops::Range;

/// The left operand: rows of groups, read in place or packed block by block.
///
/// A packed block is rows too. Packing costs up to 1.5 % at 768 columns and gains nothing: a
/// tile reads 4 bytes of each row a step, which is little beside its panels.
pub(crate) trait Rows<P: Product>: Sync {
    /// Whether [`Rows::row`] works; otherwise rows are packed with [`Rows::pack`].
    fn in_place(&self) -> bool;

    /// The groups of a row, where they lie.
    fn row(&self, index: usize) -> &[P::Group];

    /// Copies rows, as groups, the first to the front and each further one `stride` groups behind
    /// the one before it.
    fn pack(&self, rows: Range<usize>, groups: &mut [P::Group], stride: usize);
}

/// Groups in rows are read where they lie.
impl<P: Product> Rows<P> for Matrix<'_, P::Group> {
    #[inline(always)]
    fn in_place(&self) -> bool {
        true
    }

    #[inline(always)]
    fn row(&self, index: usize) -> &[P::Group] {
        Matrix::row(self, index)
    }

    #[inline(always)]
    fn pack(&self, rows: Range<usize>, groups: &mut [P::Group], stride: usize) {
        for (i, index) in rows.enumerate() {
            groups[i * stride..][..self.cols()].copy_from_slice(Matrix::row(self, index));
        }
    }
}

/// The right operand: panels of equal depth, read in place or made, those of a tile at a time.
pub(crate) trait Columns<P: Product>: Sync {
    /// Steps in a panel.
    fn steps(&self) -> usize;

    /// All panels, if they are read where they lie; otherwise they are made with [`Columns::make`].
    fn in_place(&self) -> Option<Panels<'_, P::Step>>;

    /// Makes some steps of a panel, where [`Columns::in_place`] has none.
    fn make(&self, _index: usize, _steps: Range<usize>, _room: &mut [P::Step]) {
        unreachable!("panels are read where they lie")
    }
}

/// Panels behind each other in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Panels<'a, S> {
    /// All steps of panel 0, then all of panel 1, and so on.
    pub(crate) data: &'a [S],
    /// Steps in a panel: from a step of one to the same step of the next.
    pub(crate) steps: usize,
}

impl<'a, S> Panels<'a, S> {
    /// The same from a panel on, and each of them from a step on: of the last one there is less.
    ///
    /// One piece of memory, however many panels a tile takes of it: with a slice for each, the driver went
    /// through some 85 more instructions between two tiles, and on one Zen 4 core 512^3, 1024^3, 128x768x768
    /// and 128x3072x768 (rows, depth, columns) made 0.99 to 0.997 of the speed.
    #[inline(always)]
    pub(super) fn from(self, panel: usize, step: usize) -> Self {
        Panels { data: &self.data[panel * self.steps + step..], ..self }
    }

    /// The first steps of a panel, which must have so many: more are those of the next one.
    #[inline(always)]
    pub(super) fn panel(self, index: usize, steps: usize) -> &'a [S] {
        &self.data[index * self.steps..][..steps]
    }

    /// All steps of some panels.
    #[inline(always)]
    pub(super) fn together(self, panels: Range<usize>) -> &'a [S] {
        &self.data[panels.start * self.steps..panels.end * self.steps]
    }
}

impl<P: Product> Columns<P> for Panels<'_, P::Step> {
    #[inline(always)]
    fn steps(&self) -> usize {
        self.steps
    }

    #[inline(always)]
    fn in_place(&self) -> Option<Panels<'_, P::Step>> {
        Some(*self)
    }
}

/// A block of rows of the left operand, ready to be read.
pub(crate) struct Block<'a, P: Product, L> {
    lhs: &'a L,
    packed: &'a [P::Group],
    steps: usize,
    pub(crate) rows: Range<usize>,
}

impl<'a, P: Product, L: Rows<P>> Block<'a, P, L> {
    #[inline(always)]
    pub(super) fn new(
        lhs: &'a L,
        rows: Range<usize>,
        steps: usize,
        room: &'a mut [P::Group],
    ) -> Self {
        if !lhs.in_place() {
            lhs.pack(rows.clone(), room, steps);
        }
        Block { lhs, packed: room, steps, rows }
    }

    /// The groups of a row of the whole operand that is in the block.
    #[inline(always)]
    pub(crate) fn row(&self, index: usize) -> &'a [P::Group] {
        if self.lhs.in_place() {
            self.lhs.row(index)
        } else {
            &self.packed[(index - self.rows.start) * self.steps..][..self.steps]
        }
    }

    /// Notes some steps of some rows, those of a tile. In place: the rows would else be copied by whole
    /// registers (see [`Ends`](super::tile::Ends)).
    #[inline(always)]
    pub(super) fn note(
        &self,
        rows: Range<usize>,
        steps: Range<usize>,
        some: &mut [&'a [P::Group]; MAX_ROWS],
    ) {
        // A loop, not `array::from_fn`: that one is not always inlined (6 % of 1024^3).
        for (row, some) in rows.zip(some) {
            *some = &self.row(row)[steps.clone()];
        }
    }
}
