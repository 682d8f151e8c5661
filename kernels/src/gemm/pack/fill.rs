//! Brings weights into panels, from rows or from columns, at a speed near memory's.

use super::layout::{Layout, Sections, WORD};
use super::survey::survey;
use crate::matrix::Matrix;
use crate::vector::{GROUP, PANEL, Step, Visitor, Vocabulary};
use core::ops::Range;

/// Panels filled side by side: from rows, whole cache lines are read; their steps (a word of
/// flags each, 64 KiB) stay in the second-level cache until they are surveyed.
const ABREAST: usize = 16;

/// Weights as they were given.
pub(super) trait Source {
    /// Writes the steps in `steps` of the panels in `panels`, at most [`ABREAST`], to the panels
    /// of `to`, which are `depth` long. What the weights do not have is left alone.
    fn copy(&self, panels: Range<usize>, steps: Range<usize>, to: &mut [Step], depth: usize);
}

/// A row for each depth.
pub(super) struct Rows<'a>(pub(super) Matrix<'a, i8>);

impl Source for Rows<'_> {
    /// Four rows of several panels at a time are interleaved as one loop, which becomes vectors.
    /// The sixteen columns of a single step become single bytes, and packing takes 2.4 times as
    /// long.
    #[inline(always)]
    fn copy(&self, panels: Range<usize>, steps: Range<usize>, to: &mut [Step], depth: usize) {
        let columns = panels.start * PANEL..self.0.cols().min(panels.end * PANEL);
        let nothing = [0; ABREAST * PANEL];
        for index in steps {
            let rows: [&[i8]; GROUP] = core::array::from_fn(|i| match index * GROUP + i {
                row if row < self.0.rows() => &self.0.row(row)[columns.clone()],
                _ => &nothing[..columns.len()],
            });
            let mut lines = [[0; GROUP]; ABREAST * PANEL];
            let quads = rows[0].iter().zip(rows[1]).zip(rows[2]).zip(rows[3]);
            for (column, (((b0, b1), b2), b3)) in lines.iter_mut().zip(quads) {
                *column = [*b0, *b1, *b2, *b3];
            }
            let (lines, _) = lines.as_chunks();
            for (panel, line) in panels.clone().zip(lines) {
                to[panel * depth + index] = *line;
            }
        }
    }
}

/// A row for each column.
pub(super) struct Columns<'a>(pub(super) Matrix<'a, i8>);

impl Source for Columns<'_> {
    fn copy(&self, panels: Range<usize>, steps: Range<usize>, to: &mut [Step], depth: usize) {
        for panel in panels {
            self.panel(panel, steps.clone(), &mut to[panel * depth..][steps.clone()]);
        }
    }
}

impl Columns<'_> {
    /// Four columns at a time: one store for the same group of each. Compiled without vector
    /// extensions on purpose: with AVX-512 the compiler scatters, and packing
    /// takes 1.3 times as long.
    #[inline(never)]
    fn panel(&self, panel: usize, steps: Range<usize>, to: &mut [Step]) {
        let depths = steps.start * GROUP..self.0.cols().min(steps.end * GROUP);
        let row = |column| match column {
            column if column < self.0.rows() => &self.0.row(column)[depths.clone()],
            _ => &[],
        };
        for c in (0..PANEL).step_by(GROUP) {
            let rows: [&[i8]; GROUP] = core::array::from_fn(|i| row(panel * PANEL + c + i));
            let [(r0, rest), (r1, _), (r2, _), (r3, _)] = rows.map(|row| row.as_chunks());
            let quads = to.iter_mut().zip(r0).zip(r1).zip(r2).zip(r3);
            for ((((step, g0), g1), g2), g3) in quads {
                step[c..c + GROUP].copy_from_slice(&[*g0, *g1, *g2, *g3]);
            }
            if r3.len() == r0.len() && rest.is_empty() {
                continue;
            }
            for (i, row) in rows.into_iter().enumerate() {
                for (step, group) in to.iter_mut().zip(row.chunks(GROUP)) {
                    step[c + i][..group.len()].copy_from_slice(group);
                }
            }
        }
    }
}

/// Fills zeroed sections from a source.
pub(super) struct Fill<'a, S> {
    pub(super) layout: Layout,
    pub(super) source: S,
    pub(super) sections: Sections<'a>,
}

impl<S: Source> Visitor for Fill<'_, S> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        token.run(
            #[inline(always)]
            || self.fill(),
        );
    }
}

impl<S: Source> Fill<'_, S> {
    #[inline(always)]
    fn fill(self) {
        let Fill { layout, source, sections } = self;
        let (depth, words, panels) = (layout.depth(), layout.words(), layout.panels());
        for first in (0..panels).step_by(ABREAST) {
            for word in 0..words {
                let steps = word * WORD..depth.min((word + 1) * WORD);
                let abreast = first..panels.min(first + ABREAST);
                source.copy(abreast.clone(), steps.clone(), sections.steps, depth);
                for panel in abreast {
                    let steps = &sections.steps[panel * depth..][steps.clone()];
                    sections.wide[panel * words + word] = survey(steps, &mut sections.sums[panel]);
                }
            }
        }
    }
}
