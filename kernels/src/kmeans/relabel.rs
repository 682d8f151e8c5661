//! Labels of points that have some, looked for only where `kept` says that they may change.
//!
//! Points are labelled by the same loops as ever, so what comes out is the same to the bit: those of
//! a block that are open are gathered with those of the next blocks until there is a block of them.
//! Where whole blocks are tested for centres to leave out (see `prune`), and not in vain, they stay
//! together, and a block is left out if none of its points is open: strangers would make the test
//! useless.
//!
//! Loops are called block by block. With all of this in one function for each instruction set, some
//! of what it is made of was not inlined any more: 1M x 16 with 64 centres took 1.15 of the time.

use super::assign::Desk;
use super::centres::Ready;
use super::engine::Engine;
use super::held::Held;
use super::kept::Moved;
use crate::Matrix;
use crate::points::{BLOCK, Element};
use core::ops::Range;

/// Most points of a block that are gathered; with more the block is labelled where it lies.
const SOME: u32 = BLOCK as u32 * 3 / 4;

/// Points of some blocks that have labels, which may change.
pub(super) struct Relabelled<'a> {
    pub(super) blocks: Range<usize>,
    /// Which of all points is the first of them.
    pub(super) first: usize,
    /// For each point: its label from now on, the one before, and until when it stays.
    pub(super) labels: &'a mut [u32],
    pub(super) previous: &'a [u32],
    pub(super) until: &'a mut [f32],
    pub(super) moved: &'a Moved,
}

/// Labels the points of some blocks, which are finite.
pub(super) fn relabel<T: Element>(
    engine: &(dyn Engine + 'static),
    held: Held<'_, T>,
    ready: &Ready<'_>,
    work: Relabelled<'_>,
    desk: &mut Desk<'_, T>,
) {
    let Relabelled { blocks, first, labels, previous, until, moved } = work;
    let loops = engine.over::<T>();
    let mut waiting = Waiting { first: blocks.start * BLOCK, points: [0; BLOCK], count: 0 };
    let (count, mut asked, mut stayed, mut next) = (labels.len(), 0, 0, 0);
    loop {
        // Those that keep nothing are labelled together, up to the next one that does.
        let keeps = |at: usize| moved.keeps(first / BLOCK + at).map(|had| (at, had));
        let found = (next..blocks.len()).find_map(keeps);
        let at = found.map_or(blocks.len(), |(at, _)| at);
        if at > next {
            let out = &mut labels[next * BLOCK..count.min(at * BLOCK)];
            let plain = blocks.start + next..blocks.start + at;
            loops.label(held, ready, (plain, out), desk, &mut []);
        }
        let Some((_, had)) = found else { break };
        next = at + 1;
        let here = at * BLOCK..count.min((at + 1) * BLOCK);
        let (out, before) = (&mut labels[here.clone()], &previous[here.clone()]);
        if had {
            let open = engine.open(moved, before, &until[here.clone()]);
            let gathers = ready.columns.is_empty() || desk.patience.waits();
            asked += out.len();
            if gathers || open == 0 {
                stayed += out.len() - open.count_ones() as usize;
            }
            if open == 0 || (gathers && moved.gathers() && open.count_ones() <= SOME) {
                out.copy_from_slice(before);
                let kept = (&mut *labels, &mut *until, moved);
                waiting.take(here.start, open, (engine, held, ready), kept, desk);
                continue;
            }
        }
        let (block, mut slack) = (blocks.start + at, [f32::NAN; BLOCK]);
        loops.label(held, ready, (block..block + 1, out), desk, &mut slack);
        engine.until(moved, out, &mut slack);
        until[here.clone()].copy_from_slice(&slack[..here.len()]);
    }
    waiting.label((engine, held, ready), (labels, until, moved), desk);
    moved.hear(asked, stayed);
}

/// What points are labelled with.
type Tools<'a, T> = (&'a (dyn Engine + 'static), Held<'a, T>, &'a Ready<'a>);

/// Labels, until when they stay, and how far centres have moved.
type Known<'a> = (&'a mut [u32], &'a mut [f32], &'a Moved);

/// Points of several blocks that wait until there is a block of them.
struct Waiting {
    /// Where the points begin that numbers count from.
    first: usize,
    points: [usize; BLOCK],
    count: usize,
}

impl Waiting {
    /// Takes the points of a block that begins at `start` whose bits are set.
    fn take<T: Element>(
        &mut self,
        start: usize,
        mut open: u64,
        tools: Tools<'_, T>,
        (labels, until, moved): Known<'_>,
        desk: &mut Desk<'_, T>,
    ) {
        while open != 0 {
            self.points[self.count] = start + open.trailing_zeros() as usize;
            open &= open - 1;
            self.count += 1;
            if self.count == BLOCK {
                self.label(tools, (labels, until, moved), desk);
            }
        }
    }

    /// Labels those that wait.
    fn label<T: Element>(
        &mut self,
        (engine, held, ready): Tools<'_, T>,
        (labels, until, moved): Known<'_>,
        desk: &mut Desk<'_, T>,
    ) {
        let points = &self.points[..core::mem::take(&mut self.count)];
        if points.is_empty() {
            return;
        }
        // Points in rows need no space of their own to be looked at.
        let space = core::mem::take(&mut desk.space);
        for (&point, to) in points.iter().zip(space.chunks_exact_mut(ready.d)) {
            held.copy(self.first + point, to);
        }
        let rows = Matrix::new(&*space, points.len(), ready.d).expect("a block of points");
        let (mut found, mut slack) = ([0; BLOCK], [f32::NAN; BLOCK]);
        let out = &mut found[..points.len()];
        engine.over::<T>().label(Held::Rows(rows), ready, (0..1, out), desk, &mut slack);
        desk.space = space;
        engine.until(moved, out, &mut slack);
        for ((&point, &label), slack) in points.iter().zip(&*out).zip(slack) {
            (labels[point], until[point]) = (label, slack);
        }
    }
}
