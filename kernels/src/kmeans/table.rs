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
pub const fn tiles(form: Form, isa: Isa) -> &'static [Tile] {
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

/// Whether an instruction set has a tile of a form.
const fn offers(form: Form, isa: Isa, points: usize, centres: usize) -> bool {
    let (tiles, mut i) = (tiles(form, isa), 0);
    while i < tiles.len() {
        if tiles[i].points == points && tiles[i].centres == centres {
            return true;
        }
        i += 1;
    }
    false
}

/// The kernel of a tile of [`Form::Bytes`] if `BYTES`, or else of a form whose scores are floats;
/// `None` if there is none.
///
/// What nobody can reach is not compiled: of the tiles each instruction set has only its own, and of
/// forms only those that its token is asked for.
pub(super) fn nearest<V: Vocabulary, const BYTES: bool>(
    form: Form,
    tile: Tile,
) -> Option<Nearest<V>> {
    if !offers(form, V::ISA, tile.points, tile.centres) {
        return None;
    }
    macro_rules! find {
        ($($form:ident: $module:ident $([$points:literal x $centres:literal])+;)+) => {
            match (form, tile.points, tile.centres) {
                $($((Form::$form, $points, $centres)
                    if const { offers(Form::$form, V::ISA, $points, $centres) } =>
                {
                    Some($module::nearest::<V, $points, $centres>)
                })+)+
                _ => None,
            }
        };
    }
    if const { BYTES } {
        find! { Bytes: bytes [1 x 2] [1 x 4] [2 x 2] [2 x 8] [4 x 2] [4 x 4]; }
    } else if form == Form::Tile {
        Some(tile::nearest::<V>)
    } else {
        find! {
            Lanes: lanes [4 x 1] [2 x 2] [2 x 4] [2 x 6] [4 x 2] [4 x 4] [4 x 6];
            Cells: cells [1 x 1] [2 x 1] [4 x 1];
        }
    }
}
