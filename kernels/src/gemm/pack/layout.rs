//! Where everything stands in packed weights: one block of 64-byte lines, four sections.
//!
//! Knows neither how weights are packed nor what multiplies them.

use crate::vector::{GROUP, PANEL, Step};

/// A cache line, the unit of every section.
pub(in crate::gemm) type Line = [i32; PANEL];

/// Steps whose flags share a word.
pub(super) const WORD: usize = u64::BITS as usize;

/// Words of flags in a line.
const WORDS: usize = size_of::<Line>() / size_of::<u64>();

/// The sizes that decide where the sections are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) k: usize,
    pub(super) n: usize,
}

impl Layout {
    /// Steps of a panel.
    pub(super) fn depth(self) -> usize {
        self.k.div_ceil(GROUP)
    }

    /// Panels.
    pub(super) fn panels(self) -> usize {
        self.n.div_ceil(PANEL)
    }

    /// Words of flags of a panel.
    pub(super) fn words(self) -> usize {
        self.depth().div_ceil(WORD)
    }

    /// Lines of the sections, in the order in which they stand: steps, sums, flags, zero points.
    fn sections(self) -> [usize; 4] {
        let panels = self.panels();
        let flags = panels.saturating_mul(self.words()).div_ceil(WORDS);
        [panels.saturating_mul(self.depth()), panels, flags, panels]
    }

    /// Lines of all sections; more than can be had when they are more than can be counted.
    pub(super) fn lines(self) -> usize {
        self.sections().into_iter().fold(0, usize::saturating_add)
    }

    /// Reads the sections of `lines`; `shifted` says that some zero point is not zero.
    pub(super) fn view(self, lines: &[Line], shifted: bool) -> Weights<'_> {
        let [steps, sums, flags, _] = self.sections();
        let (steps, rest) = lines.split_at(steps);
        let (sums, rest) = rest.split_at(sums);
        let (flags, zero_points) = rest.split_at(flags);
        Weights {
            layout: self,
            steps: bytemuck::cast_slice(steps),
            sums,
            wide: bytemuck::cast_slice(flags),
            zero_points: shifted.then_some(zero_points),
        }
    }

    /// The sections of `lines`, to be written.
    pub(super) fn sections_mut(self, lines: &mut [Line]) -> Sections<'_> {
        let [steps, sums, flags, _] = self.sections();
        let (steps, rest) = lines.split_at_mut(steps);
        let (sums, rest) = rest.split_at_mut(sums);
        let (flags, zero_points) = rest.split_at_mut(flags);
        Sections {
            steps: bytemuck::cast_slice_mut(steps),
            sums,
            wide: bytemuck::cast_slice_mut(flags),
            zero_points,
        }
    }
}

/// The sections, to be written.
pub(super) struct Sections<'a> {
    pub(super) steps: &'a mut [Step],
    pub(super) sums: &'a mut [[i32; PANEL]],
    pub(super) wide: &'a mut [u64],
    pub(super) zero_points: &'a mut [[i32; PANEL]],
}

/// Packed weights as a product reads them: found once a call, then plain slices.
#[derive(Clone, Copy, Debug)]
pub(in crate::gemm) struct Weights<'a> {
    layout: Layout,
    steps: &'a [Step],
    sums: &'a [[i32; PANEL]],
    wide: &'a [u64],
    zero_points: Option<&'a [[i32; PANEL]]>,
}

impl<'a> Weights<'a> {
    /// Depth: rows of the weights.
    pub(in crate::gemm) fn k(&self) -> usize {
        self.layout.k
    }

    /// Columns of the weights.
    pub(in crate::gemm) fn n(&self) -> usize {
        self.layout.n
    }

    /// All steps of panel 0, then of panel 1, and so on.
    #[inline(always)]
    pub(in crate::gemm) fn steps(&self) -> &'a [Step] {
        self.steps
    }

    /// For every column `sum b - k * zb`, wrapping.
    #[inline(always)]
    pub(in crate::gemm) fn sums(&self) -> &'a [[i32; PANEL]] {
        self.sums
    }

    /// A bit for each of some steps of panel `index`, the first step's lowest, 64 a word: set
    /// when a multiply-add of bytes into 16 bits may saturate there.
    #[inline(always)]
    pub(in crate::gemm) fn wide(&self, index: usize) -> &'a [u64] {
        let words = self.layout.words();
        &self.wide[index * words..][..words]
    }

    /// What fills the last line of flags.
    pub(super) fn past_flags(&self) -> &'a [u64] {
        &self.wide[self.layout.panels() * self.layout.words()..]
    }

    /// Whether no step of panel `index` may saturate.
    pub(in crate::gemm) fn pairs_fit(&self, index: usize) -> bool {
        self.wide(index).iter().all(|&word| word == 0)
    }

    /// Zero points, if any column's is not zero.
    #[inline(always)]
    pub(in crate::gemm) fn zero_points(&self) -> Option<&'a [[i32; PANEL]]> {
        self.zero_points
    }
}
