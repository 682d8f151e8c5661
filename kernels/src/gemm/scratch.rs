//! Room for the blocks of a running plan, and how much of it each kind of product needs.
//!
//! Every member has room of its own. Rows of floats are bytes in room that all share ([`quantise`]),
//! before that of the members; rows that are given as bytes need none.
//!
//! [`quantise`]: super::quantise

use super::quantise::lines_of_row;
use super::words::HALVES;
use super::{Error, Plan};
use crate::buffer::Buffer;
use crate::vector::{GROUP, PANEL};

/// One cache line of scratch.
pub(super) type Line = [i32; PANEL];

/// Room for the blocks of a running plan. Plans may share one, if it is large enough for each
/// and they do not run at the same time.
#[derive(Clone, Debug)]
pub struct Scratch {
    pub(super) lines: Buffer<Line>,
}

impl Scratch {
    /// Of so many bytes: the most that any of the plans says that share it, or what a plan says of
    /// operands that are bytes.
    ///
    /// ```
    /// # use tilewise::{Isa, cache::CacheSizes, gemm::{Plan, Recipe, Scratch, Shape}};
    /// # let shape = Shape { m: 1000, n: 16, k: 64 };
    /// # let recipe = Recipe::estimate(shape, Isa::best(), &CacheSizes::detect(), 1);
    /// # let plan = Plan::new(shape, Isa::best(), recipe)?;
    /// // Enough for rows of bytes; rows of floats would want a copy of all of them as bytes.
    /// let scratch = Scratch::of_bytes(plan.scratch_bytes_for_bytes(1))?;
    /// assert!(plan.scratch_bytes(1) > plan.scratch_bytes_for_bytes(1) + 1000 * 64);
    /// # let _ = scratch;
    /// # Ok::<(), tilewise::gemm::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn of_bytes(bytes: usize) -> Result<Self, Error> {
        Ok(Scratch { lines: Buffer::zeroed(bytes.div_ceil(size_of::<Line>()))? })
    }

    /// Whether it has so many lines; otherwise the error that names the bytes a plan `needs`.
    pub(super) fn check(&self, lines: usize, needs: impl Fn() -> usize) -> Result<(), Error> {
        if self.lines.len() >= lines {
            return Ok(());
        }
        Err(Error::Scratch { given: self.lines.len() * size_of::<Line>(), needed: needs() })
    }
}

/// How many lines of scratch each member needs, in the order in which they lie.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    pub(super) sums: usize,
    pub(super) row_sums: usize,
    pub(super) groups: usize,
    pub(super) steps: usize,
}

impl Lines {
    pub(super) fn all(self) -> usize {
        [self.row_sums, self.groups, self.steps].into_iter().fold(self.sums, usize::saturating_add)
    }
}

impl Plan {
    /// How many members of a team of `threads` have a part in a product of as many rows as the plan
    /// is for: a recipe may ask for more parts than there are rows or panels.
    ///
    /// ```
    /// use tilewise::cache::CacheSizes;
    /// use tilewise::gemm::{Plan, Recipe, Shape, Split};
    /// use tilewise::Isa;
    /// let (shape, isa) = (Shape { m: 3, n: 16, k: 64 }, Isa::best());
    /// let mut recipe = Recipe::estimate(shape, isa, &CacheSizes::detect(), 1);
    /// recipe.split = Split { rows: 4, columns: 4 };
    /// let plan = Plan::new(shape, isa, recipe)?;
    /// assert_eq!([plan.members(8), plan.members(2)], [3, 2]);
    /// # Ok::<(), tilewise::gemm::Error>(())
    /// ```
    pub fn members(&self, threads: usize) -> usize {
        threads.clamp(1, self.recipe.split.within(self.shape).parts())
    }

    /// Bytes of scratch for a team of `threads`, whatever the left operand is made of. The most of
    /// it is for rows of [floats](super::Lhs::f32) as bytes: see
    /// [`scratch_bytes_for_bytes`](Plan::scratch_bytes_for_bytes).
    pub fn scratch_bytes(&self, threads: usize) -> usize {
        self.bytes_of_call(threads, true)
    }

    /// Bytes of scratch for a team of `threads` where the left operand is made of bytes, for
    /// [`Scratch::of_bytes`].
    pub fn scratch_bytes_for_bytes(&self, threads: usize) -> usize {
        self.bytes_of_call(threads, false)
    }

    /// Scratch of [`Plan::scratch_bytes`]: of a larger team than `threads` at least so many
    /// multiply, the rest may be idle.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn scratch(&self, threads: usize) -> Result<Scratch, Error> {
        Scratch::of_bytes(self.scratch_bytes(threads))
    }

    /// Bytes of scratch for a [batch](Plan::run_batch) on a team of `threads`, whatever its left
    /// operands are made of: for floats, each member has room for the rows of a product as bytes.
    pub fn batch_scratch_bytes(&self, threads: usize) -> usize {
        self.bytes_of_batch(threads, true)
    }

    /// Bytes of scratch for a [batch](Plan::run_batch) on a team of `threads` where all left
    /// operands are made of bytes, for [`Scratch::of_bytes`].
    pub fn batch_scratch_bytes_for_bytes(&self, threads: usize) -> usize {
        self.bytes_of_batch(threads, false)
    }

    /// Scratch of [`Plan::batch_scratch_bytes`]: of a larger team than `threads` at least so many
    /// multiply, the rest may be idle. It is large enough for [`Plan::run`] too.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`].
    pub fn batch_scratch(&self, threads: usize) -> Result<Scratch, Error> {
        Scratch::of_bytes(self.batch_scratch_bytes(threads))
    }

    pub(super) fn bytes_of_call(&self, threads: usize, floats: bool) -> usize {
        self.bytes_of_members(self.members(threads), floats)
    }

    /// Bytes for so many members of a call, however it is shared out.
    pub(super) fn bytes_of_members(&self, members: usize, floats: bool) -> usize {
        let lines = self.lines().all().saturating_mul(members);
        lines.saturating_add(self.shared_lines(floats)).saturating_mul(size_of::<Line>())
    }

    pub(super) fn bytes_of_batch(&self, threads: usize, floats: bool) -> usize {
        let lines = self.lines().all().saturating_add(self.shared_lines(floats));
        lines.saturating_mul(threads.max(1)).saturating_mul(size_of::<Line>())
    }

    /// Lines of scratch that all members share: rows of floats once they are bytes. A product
    /// without columns looks at none of its rows.
    pub(super) fn shared_lines(&self, floats: bool) -> usize {
        match floats && self.shape.n > 0 {
            true => self.shape.m.saturating_mul(lines_of_row(self.shape.k)),
            false => 0,
        }
    }

    /// Lines of scratch of each member.
    pub(super) fn lines(&self) -> Lines {
        let (cuts, depth) = (&self.cuts, self.shape.k.div_ceil(GROUP));
        let halves = if self.chooses { HALVES } else { 1 };
        Lines {
            sums: cuts.sums(depth),
            row_sums: cuts.rows.div_ceil(PANEL),
            groups: cuts.rows.saturating_mul(depth).saturating_mul(halves).div_ceil(PANEL),
            steps: if self.chooses {
                cuts.steps.saturating_mul(cuts.tile.panels * HALVES)
            } else {
                0
            },
        }
    }
}
