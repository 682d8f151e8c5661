//! Which tiles there are on which instruction set.

use super::assign::Nearest;
use super::recipe::{Form, Tile};
use super::{bytes, cells, lanes, tile};
use crate::Isa;
use crate::gemm;
use crate::vector::{PANEL, Vocabulary};

/// Sixteen registers, or none at all: what has fewer than thirty-two.
const NARROW: &[Tile] = &[
    Tile { points: 2, centres: 2 },
    Tile { points: 4, centres: 1 },
    Tile { points: 2, centres: 4 },
    Tile { points: 2, centres: 6 },
];

/// Thirty-two registers.
const WIDE: &[Tile] = &[
    Tile { points: 4, centres: 2 },
    Tile { points: 4, centres: 1 },
    Tile { points: 2, centres: 2 },
    Tile { points: 4, centres: 6 },
    Tile { points: 4, centres: 4 },
];

/// Registers of points that share their centres.
const CELLS: &[Tile] = &[
    Tile { points: 1, centres: 1 },
    Tile { points: 2, centres: 1 },
    Tile { points: 4, centres: 1 },
];

/// Panels of points and centres for products of bytes, in thirty-two registers of a whole panel.
const WIDE_BYTES: &[Tile] = &[
    Tile { points: 4, centres: 2 },
    Tile { points: 4, centres: 4 },
    Tile { points: 2, centres: 8 },
];

/// The same in sixteen registers of half a panel.
const NARROW_BYTES: &[Tile] = &[
    Tile { points: 1, centres: 4 },
    Tile { points: 2, centres: 2 },
    Tile { points: 1, centres: 2 },
];

/// The tiles of a form on an instruction set: the first is best, but for many features with
/// [`Form::Lanes`], where the last is.
pub fn tiles(form: Form, isa: Isa) -> &'static [Tile] {
    match (form, isa) {
        (Form::Lanes, Isa::Neon | Isa::Avx512 | Isa::Avx512Vnni) => WIDE,
        (Form::Lanes, _) => NARROW,
        (Form::Cells, _) => CELLS,
        (Form::Bytes, Isa::Avx512 | Isa::Avx512Vnni) => WIDE_BYTES,
        (Form::Bytes, _) => NARROW_BYTES,
        (Form::Tile, Isa::Avx512 | Isa::Avx512Vnni) => {
            const { &products::<8>(gemm::tiles(Isa::Avx512Vnni)) }
        }
        (Form::Tile, Isa::Avx2 | Isa::AvxVnni) => const { &products::<7>(gemm::tiles(Isa::Avx2)) },
        (Form::Tile, _) => const { &products::<3>(gemm::tiles(Isa::Scalar)) },
    }
}

/// The tiles of a matrix product, points by panels of centres; there are `N` of them.
const fn products<const N: usize>(of: &[gemm::Tile]) -> [Tile; N] {
    assert!(of.len() == N);
    let mut tiles = [Tile { points: 0, centres: 0 }; N];
    let mut i = 0;
    while i < N {
        tiles[i] = Tile { points: of[i].rows, centres: of[i].panels * PANEL };
        i += 1;
    }
    tiles
}

/// The kernel of a tile, if there is one.
pub(super) fn nearest<V: Vocabulary>(form: Form, tile: Tile) -> Option<Nearest<V>> {
    if !tiles(form, V::ISA).contains(&tile) {
        return None;
    }
    match (form, tile.points, tile.centres) {
        (Form::Lanes, 4, 1) => Some(lanes::nearest::<V, 4, 1>),
        (Form::Lanes, 2, 2) => Some(lanes::nearest::<V, 2, 2>),
        (Form::Lanes, 2, 4) => Some(lanes::nearest::<V, 2, 4>),
        (Form::Lanes, 2, 6) => Some(lanes::nearest::<V, 2, 6>),
        (Form::Lanes, 4, 2) => Some(lanes::nearest::<V, 4, 2>),
        (Form::Lanes, 4, 4) => Some(lanes::nearest::<V, 4, 4>),
        (Form::Lanes, 4, 6) => Some(lanes::nearest::<V, 4, 6>),
        (Form::Cells, 1, 1) => Some(cells::nearest::<V, 1>),
        (Form::Cells, 2, 1) => Some(cells::nearest::<V, 2>),
        (Form::Cells, 4, 1) => Some(cells::nearest::<V, 4>),
        (Form::Tile, ..) => Some(tile::nearest::<V>),
        (Form::Bytes, 1, 2) => Some(bytes::nearest::<V, 1, 2>),
        (Form::Bytes, 1, 4) => Some(bytes::nearest::<V, 1, 4>),
        (Form::Bytes, 2, 2) => Some(bytes::nearest::<V, 2, 2>),
        (Form::Bytes, 2, 8) => Some(bytes::nearest::<V, 2, 8>),
        (Form::Bytes, 4, 2) => Some(bytes::nearest::<V, 4, 2>),
        (Form::Bytes, 4, 4) => Some(bytes::nearest::<V, 4, 4>),
        _ => None,
    }
}
