//! Brings weights into panels, from rows or from columns, at the speed of memory.

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
    /// Copies the steps in `steps` of panel `panel`; what the weights do not have is left alone.
    fn copy(&self, panel: usize, steps: Range<usize>, to: &mut [Step]);
}

/// A row for each depth.
pub(super) struct Rows<'a>(pub(super) Matrix<'a, i8>);

impl Source for Rows<'_> {
    #[inline(always)]
    fn copy(&self, panel: usize, steps: Range<usize>, to: &mut [Step]) {
        let columns = panel * PANEL..self.0.cols().min((panel + 1) * PANEL);
        let row = |depth| match depth {
            d if d < self.0.rows() => &self.0.row(d)[columns.clone()],
            _ => &[],
        };
        for (index, step) in steps.zip(to) {
            let rows: [&[i8]; GROUP] = core::array::from_fn(|i| row(index * GROUP + i));
            let full = rows.map(|row| row.first_chunk::<PANEL>());
            if let [Some(r0), Some(r1), Some(r2), Some(r3)] = full {
                for c in 0..PANEL {
                    step[c] = [r0[c], r1[c], r2[c], r3[c]];
                }
                continue;
            }
            for (i, row) in rows.into_iter().enumerate() {
                for (column, &weight) in step.iter_mut().zip(row) {
                    column[i] = weight;
                }
            }
        }
    }
}

/// A row for each column.
pub(super) struct Columns<'a>(pub(super) Matrix<'a, i8>);

impl Source for Columns<'_> {
    #[inline(always)]
    fn copy(&self, panel: usize, steps: Range<usize>, to: &mut [Step]) {
        let depths = steps.start * GROUP..self.0.cols().min(steps.end * GROUP);
        for c in 0..PANEL.min(self.0.rows() - panel * PANEL) {
            let (groups, rest) = self.0.row(panel * PANEL + c)[depths.clone()].as_chunks();
            for (step, group) in to.iter_mut().zip(groups) {
                step[c] = *group;
            }
            if let Some(last) = to.get_mut(groups.len()) {
                last[c][..rest.len()].copy_from_slice(rest);
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
                for panel in first..panels.min(first + ABREAST) {
                    let to = &mut sections.steps[panel * depth..][..depth][steps.clone()];
                    source.copy(panel, steps.clone(), to);
                    let flags = survey(to, &mut sections.sums[panel]);
                    sections.wide[panel * words + word] = flags;
                }
            }
        }
    }
}
