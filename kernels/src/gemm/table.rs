//! Which register tiles each instruction set has: the one table a new one adds a line to.
//!
//! The budget is the register file. A panel of 16 sums is one 512-bit register or two of 256
//! bits; a tile needs its sums, one step of its panels and one group.

use super::tile::{Last, TileFn, makes, multiply};
use crate::isa::{Isa, Token};
use crate::product::Product;
use crate::vector::PANEL;
use core::fmt;

/// No tile has more rows than this ...
pub(crate) const MAX_ROWS: usize = 8;
/// ... or more panels.
pub(crate) const MAX_PANELS: usize = 4;

/// So many tiles below each other are finished together where tiles go down, for what becomes of them begins with the
/// same for all of their rows: a call, and what the columns need. Their sums still fit the
/// first-level cache beside a panel.
pub(crate) const RUN: usize = 4;

/// Rows that are finished together at most.
pub(crate) const RUN_ROWS: usize = RUN * MAX_ROWS;

/// The size of a register tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Tile {
    /// Rows of the left operand ("mr").
    pub rows: usize,
    /// Panels of 16 columns of the right operand (16 of them are "nr").
    pub panels: usize,
}

impl Tile {
    /// Panels of sums in the tile.
    pub const fn sums(self) -> usize {
        self.rows * self.panels
    }
}

/// Rows by columns, as the field writes it: `6x64`.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.panels * PANEL)
    }
}

/// The tiles a recipe may ask for on `isa`, the generally best one first.
///
/// ```
/// use tilewise::{Isa, gemm};
/// assert!(gemm::tiles(Isa::best()).iter().all(|tile| tile.sums() <= 24));
/// ```
pub const fn tiles(isa: Isa) -> &'static [Tile] {
    const AVX512: &[Tile] = &list([[6, 4], [8, 3], [5, 4], [4, 4], [8, 2], [6, 3], [2, 4], [1, 4]]);
    // 3x32 does not fit: the compiler spills sums, and the product takes twice as long.
    const AVX2: &[Tile] = &list([[6, 1], [5, 1], [4, 1], [3, 1], [2, 2], [2, 1], [1, 2]]);
    const PLAIN: &[Tile] = &list([[4, 1], [2, 1], [1, 1]]);
    match isa {
        Isa::Avx512 | Isa::Avx512Vnni => AVX512,
        Isa::Avx2 | Isa::AvxVnni => AVX2,
        _ => PLAIN,
    }
}

/// How many registers the sums of one row and one panel take.
pub(super) const fn registers_of_panel(isa: Isa) -> usize {
    match isa {
        Isa::Avx2 | Isa::AvxVnni => 2,
        _ => 1,
    }
}

const fn list<const N: usize>(sizes: [[usize; 2]; N]) -> [Tile; N] {
    let mut tiles = [Tile { rows: 0, panels: 0 }; N];
    let mut i = 0;
    while i < N {
        let [rows, panels] = sizes[i];
        tiles[i] = Tile { rows, panels };
        i += 1;
    }
    tiles
}

/// The tile functions of one product: `[rows - 1][panels - 1]`. With a tile, every smaller one is
/// here too: the edges of a matrix use them.
type Stairs<P, L> = &'static [&'static [TileFn<P, L>]];

macro_rules! stairs {
    ($($rows:literal x [$($panels:literal)*]),*) => {
        &[$(&[$(multiply::<P, L, $rows, $panels>),*]),*]
    };
}

/// Finds tile functions; each product has only those of its instruction set compiled, for each that is made
/// of sums.
trait Table<L: Last<Self::Sum>>: Product {
    const STAIRS: Stairs<Self, L>;
}

impl<P: Product, L: Last<P::Sum>> Table<L> for P {
    const STAIRS: Stairs<P, L> = match P::Token::ISA {
        // Never asked for.
        _ if !L::ANY && !makes::<P>(MAX_ROWS) => &[],
        // 32 registers: 24 sums, 3 or 4 steps, 1 group.
        Isa::Avx512 | Isa::Avx512Vnni => stairs![
            1 x [1 2 3 4], 2 x [1 2 3 4], 3 x [1 2 3 4], 4 x [1 2 3 4], 5 x [1 2 3 4],
            6 x [1 2 3 4], 7 x [1 2 3], 8 x [1 2 3]
        ],
        // 16 registers: 12 for sums, 2 to 4 for steps (or straight from memory), 1 group.
        Isa::Avx2 | Isa::AvxVnni => {
            stairs![1 x [1 2], 2 x [1 2], 3 x [1], 4 x [1], 5 x [1], 6 x [1]]
        }
        // A panel is 16 plain numbers: nothing stays in registers, small tiles lose least.
        _ => stairs![1 x [1], 2 x [1], 3 x [1], 4 x [1]],
    };
}

/// The function of the tile of this size.
///
/// # Panics
/// When the instruction set has no such tile.
pub(crate) fn tile_fn<P: Product, L: Last<P::Sum>>(rows: usize, panels: usize) -> TileFn<P, L> {
    <P as Table<L>>::STAIRS[rows - 1][panels - 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::product::Bytes;
    use crate::vector::{Visitor, Vocabulary, dispatch};

    struct EveryTileHasItsEdges;

    impl Visitor for EveryTileHasItsEdges {
        type Output = ();

        fn visit<T: Vocabulary>(self, _: T) {
            for tile in tiles(T::ISA) {
                assert!(tile.rows <= MAX_ROWS && tile.panels <= MAX_PANELS);
                for rows in 1..=tile.rows {
                    for panels in 1..=tile.panels {
                        let _ = tile_fn::<Bytes<T>, ()>(rows, panels);
                    }
                }
            }
        }
    }

    #[test]
    fn every_tile_has_its_edges() {
        for isa in Isa::available() {
            dispatch(isa, EveryTileHasItsEdges).expect("available");
        }
    }
}
