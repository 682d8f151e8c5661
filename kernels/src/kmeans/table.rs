//! Which tiles there are on which instruction set.

use super::assign::{Label, label_lanes};
use super::recipe::{Form, Tile};
use crate::Isa;
use crate::vector::Vocabulary;

/// Sixteen registers, or none at all: what has fewer than thirty-two.
const NARROW: &[Tile] = &[
    Tile { points: 4, centres: 1 },
    Tile { points: 2, centres: 2 },
    Tile { points: 2, centres: 4 },
];

/// Thirty-two registers.
const WIDE: &[Tile] = &[
    Tile { points: 4, centres: 2 },
    Tile { points: 4, centres: 1 },
    Tile { points: 2, centres: 2 },
    Tile { points: 4, centres: 6 },
    Tile { points: 4, centres: 4 },
];

/// The tiles of a form on an instruction set: the first is best for few features, the last for
/// many.
pub fn tiles(form: Form, isa: Isa) -> &'static [Tile] {
    match (form, isa) {
        (Form::Lanes, Isa::Neon | Isa::Avx512Vnni) => WIDE,
        (Form::Lanes, _) => NARROW,
    }
}

/// The kernel of a tile, if there is one.
pub(super) fn label<T: Vocabulary>(form: Form, tile: Tile) -> Option<Label<T>> {
    if !tiles(form, T::ISA).contains(&tile) {
        return None;
    }
    match (form, tile.points, tile.centres) {
        (Form::Lanes, 4, 1) => Some(label_lanes::<T, 4, 1>),
        (Form::Lanes, 2, 2) => Some(label_lanes::<T, 2, 2>),
        (Form::Lanes, 2, 4) => Some(label_lanes::<T, 2, 4>),
        (Form::Lanes, 4, 2) => Some(label_lanes::<T, 4, 2>),
        (Form::Lanes, 4, 4) => Some(label_lanes::<T, 4, 4>),
        (Form::Lanes, 4, 6) => Some(label_lanes::<T, 4, 6>),
        _ => None,
    }
}
