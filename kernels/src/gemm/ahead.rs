//! What a tile asks for before it is needed: lines of its own panels and of those that come next, and
//! lines its sums go to. Hints all of them: nothing here reads or writes, and any address will do.

use crate::buffer::LINE;
use crate::isa::{Isa, Token};
use crate::product::Product;
use crate::vector::PANEL;

/// How many steps before its use a line of a panel is asked for.
///
/// Weights that come from beyond the second-level cache would else stall the tile. One core,
/// without and with, in runs of their own on a busy machine: 8 x 1024 x 4096 119 us and 70 to 76,
/// 128 x 768 x 3072 713 and 620 to 662; 8 x 4096 x 4096 454 and 309 to 436, too uneven to tell how
/// much. 8 to 32 steps gained less; 96 to 200 did not differ from 64 by more than runs do (asking for
/// the first-level cache; for the second 128 do not either).
///
/// Bytes are asked for no nearer than the second-level cache: what is on its way to the first one
/// takes up the few requests a core may have open there. Against asking for that one, on one Zen 4
/// core, weights from memory: 8 x 1024 x 4096 (rows, depth, columns) makes 1.45 of the speed, 8 x 768
/// x 3072 1.5, 1 x 768 x 768 1.35, 16 x 4096 x 4096 1.02, 128 rows 1.0 to 1.02 (two cores: 8 x 1024 x 4096 1.19, 2 x 768 x
/// 768 1.23, 4 x 768 x 3072 1.48; AVX2, one core: 1.01 to 1.17). From a cache few rows that ask in
/// every step lose: 1 x 768 x 768 makes 0.92, two cores with 2 x 768 x 768 0.89 and 4 x 768 x 3072 0.91; 8 and
/// more rows do not. Asking twice, far ahead for the second level and near for the first, costs more
/// than it gains (0.85 from a cache, 1.2 from memory).
///
/// Tiles of few rows ask in their last steps alone, for the beginnings of the panels that come
/// next: what lies within a panel a CPU that reads nothing else sees coming, and asking for it
/// takes a fifth of the third-level cache's bandwidth (95 GB/s by 1 to 4 panels side by side on one
/// Zen 4 core without asking, 71 to 77 with, to whichever level and however far ahead). Against
/// asking in every step, on one and two cores (means of both orders in memory, for a program's
/// second copy of all reads up to 1.1 times as fast from memory): 1x768x768 (rows, depth, columns)
/// 1.16 and 1.15, from memory 1.03 and 1.02; 1x4096x4096 1.16 and 1.18, from memory 1.16 and at
/// least 1.05; 2x768x768 1.14 and 1.15, from memory 0.98; 2x4096x4096 1.13 and 1.16, from memory
/// 1.21 and 1.05; 3x4096x4096 1.05 and 1.06, from memory 1.26 and 1.06. No other kind of CPU has
/// been measured. Not asking at all is 1.2 from a cache and 0.86 to 0.9 from memory where panels
/// are short (768). Four rows and short panels make 0.94 to 0.97 from memory, eight rows 0.9.
///
/// The distance is known when a loop is compiled, so that a line is asked for by one instruction; the
/// last steps, which ask elsewhere, are a loop of their own. Where each step found out for itself, 8x48
/// took 65 instructions a step instead of 48, so fewer steps were on their way at once: on one Zen 4
/// core 8x4096x4096 makes 1.08 of that speed, from memory 1.17, 128 and more rows 1.01 to 1.02.
pub(super) const AHEAD: usize = 64;

/// Steps from which panels are long enough for the CPU to see their lines coming. From there on a
/// tile of one row that asks in every step asks for the first-level cache all the same: else 1 x
/// 4096 x 4096 makes 0.94 of the speed from memory, with AVX2 0.90; 2 x 4096 x 4096 makes 0.96 to
/// 0.99, with AVX2 1.07.
pub(super) const DEEP: usize = 512;

/// Steps from which a tile of so many rows asks for panels in its last [`AHEAD`] steps alone.
///
/// From [`DEEP`] on where rows are four or five, for what memory gains is more than what a cache loses
/// (4x4096x4096 asking in every step: 1.14, from memory 0.86, one Zen 4 core). With loops of more
/// instructions than today's (see [`AHEAD`]): on one and two Zen 4 cores 4x4096x4096 (rows,
/// depth, columns) makes 0.93 and 1.02 of the speed so, from memory 1.19 and 1.09; 4x3072x768 1.0,
/// from memory 1.05 and 1.0; 5x4096x4096 0.98 and 1.01, from memory 1.08 and 1.02. Six rows make
/// 0.97 and from memory 1.03, seven 0.94 to 1.01. Not with other instruction sets: AVX2 on one and
/// two Zen 3 cores makes 0.79 and 0.93 with 1x4096x4096, from memory 1.14 and 1.08, 0.92 and 1.07
/// with 1x768x768, from memory 0.95 and 0.98, two rows 0.73 to 1.12, from memory 0.93 to 1.05; AVX-512
/// without VNNI 0.92 and 1.17 with 1x4096x4096, 1.0 and 0.9 with 1x768x768 (one Zen 4 core).
pub(super) const fn quiet_from<P: Product>(rows: usize) -> Option<usize> {
    match (P::Token::ISA, rows) {
        (Isa::Avx512Vnni, 0..=3) => Some(0),
        (Isa::Avx512Vnni, 4..=5) => Some(DEEP),
        _ => None,
    }
}

/// What else is asked for on the way, to the first-level cache (0.99 with the second): while the tiles
/// of a block pass by some panels, three or more below each other (see `to_the_right` in `drive`), each asks for a
/// part of the panels to the right, in all its steps.
/// Else the first tile there would wait for memory and all others not use it. On one Zen 4 core with
/// weights that come from memory, as those of a model do, without and with: 128 x 768 x 768 and 128 x 768
/// x 3072 (rows, depth, columns) 1.035, 128 x 3072 x 768 1.016, 384 x 1024 x 4096 1.01; with weights in a
/// cache 0.995 to 1.01.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Next {
    /// The first line.
    first: *const u8,
    /// Bytes from what one step asks for to what the next one does.
    stride: usize,
    /// Bytes to the first line of the next part.
    bytes: usize,
}

impl Next {
    /// The first of `parts` even ones of some lines, for a tile of so many steps; where there are none,
    /// what is asked for is `here`, again and again. With fewer parts than a step has panels, some are
    /// left out.
    #[inline(always)]
    pub(crate) fn first_of<P: Product>(
        (lines, here): (&[P::Step], *const u8),
        parts: usize,
        steps: usize,
    ) -> Self {
        if lines.is_empty() || const { !fetches::<P>() } {
            return Next { first: here, stride: 0, bytes: 0 };
        }
        let bytes = lines.len() / parts * size_of::<P::Step>();
        Next { first: lines.as_ptr().cast(), stride: bytes.div_ceil(steps.max(1)), bytes }
    }

    /// Goes on to the next part.
    #[inline(always)]
    pub(crate) fn advance(&mut self) {
        self.first = self.first.wrapping_add(self.bytes);
    }

    /// The same from a step on.
    #[inline(always)]
    pub(super) fn from(&self, step: usize) -> Self {
        Next { first: self.first.wrapping_add(step * self.stride), ..*self }
    }

    /// Asks for what goes with a step, and goes on to the next one.
    #[inline(always)]
    pub(super) fn fetch<P: Product>(&mut self, product: P) {
        product.prefetch(self.first.cast());
        self.first = self.first.wrapping_add(self.stride);
    }
}

/// Fewest steps and rows of a tile that asks for lines it writes. Asking for those of one row takes
/// longer than waiting: 1 x 768 x 768 0.96.
pub(super) const LONG: usize = AHEAD / 2 * 3;
pub(super) const HIGH: usize = 4;

/// Whether tiles ask for lines they write. Where a panel is more than one register they do not: what
/// makes room for it in the code costs AVX2 2 to 6 % at small depths, and gains 1 to 4 % at large ones
/// with narrow weights alone; asked for before a tile begins, they gain 3 % at 1024^3 and at
/// 384x1024x4096, nothing on two cores, and lose 1 to 2 % at a depth of 768 (Zen 3). Nor do they ask
/// for the panels to the right: all of a tile's share of them, asked for as it begins, loses 1 to 5 %,
/// with weights from memory 3 to 7 % (one Zen 3 core, pairs, depths of 768 to 4096).
pub(super) const fn fetches<P: Product>() -> bool {
    matches!(P::Token::ISA, Isa::Avx512 | Isa::Avx512Vnni) && P::ASKS
}

/// Where the rows of a product are going to be written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Destination {
    /// Where the first row begins.
    pub(crate) first: *const u8,
    /// Bytes from one row to the next.
    pub(crate) stride: usize,
    /// Bytes of an element.
    pub(crate) size: usize,
    /// Elements of a row.
    pub(crate) columns: usize,
}

impl Destination {
    /// Where a tile is going to be written, from a row and a panel on.
    #[inline(always)]
    pub(crate) fn target(&self, row: usize, panel: usize, panels: usize) -> Target {
        let &Destination { first, stride, size, columns } = self;
        let column = panel * PANEL;
        let first = first.wrapping_add(row * stride + column * size);
        Target { first, stride, bytes: (panels * PANEL).min(columns - column) * size }
    }
}

/// A part of some rows in memory, which is asked for before it is written, [`AHEAD`] steps before the
/// end of a tile. Others asked for earlier have left the first-level cache by then. On one and two Zen 4
/// cores, without and with, 32 steps before: 384 x 768 x 3072 (rows, depth, columns) 1.03 and 1.02, 384 x
/// 1024 x 4096 1.035, 1024^3 1.025 and 1.02, 128 x 768 x 3072 1.0 to 1.03; 64 were as good. From shallower
/// tiles than [`LONG`] the products of so few steps do not hide it: 96 x 256 x 64 0.98.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    /// Where the part of the first row begins.
    first: *const u8,
    /// Bytes from one row to the next.
    stride: usize,
    /// Bytes of a row.
    bytes: usize,
}

impl Target {
    #[inline(always)]
    pub(super) fn fetch<P: Product>(self, product: P, rows: usize) {
        for row in 0..rows {
            let line = self.first.wrapping_add(row * self.stride);
            for at in (0..self.bytes).step_by(LINE) {
                product.prefetch(line.wrapping_add(at).cast());
            }
        }
    }
}
