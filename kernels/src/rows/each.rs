//! The same for every row, shared out among a team.

use crate::isa::{Isa, MissingIsa};
use crate::team::Team;
use crate::vector::{Visitor, Vocabulary, dispatch_floats};

/// What is done to a row.
pub(super) trait Each: Sync {
    /// Called once for each row, in a token's trampoline: `#[inline(always)]`, and all it calls.
    fn row(&self, index: usize);
}

/// Does it to `rows` rows.
pub(super) fn each(
    rows: usize,
    isa: Isa,
    team: &dyn Team,
    work: &impl Each,
) -> Result<(), MissingIsa> {
    dispatch_floats(isa, Shared { rows, team, work })
}

struct Shared<'a, W> {
    rows: usize,
    team: &'a dyn Team,
    work: &'a W,
}

impl<W: Each> Visitor for Shared<'_, W> {
    type Output = ();

    fn visit<T: Vocabulary>(self, token: T) {
        self.team.run(&|member| {
            token.run(
                #[inline(always)]
                || member.share(self.rows).for_each(|index| self.work.row(index)),
            );
        });
    }
}
