//! A team out of a rayon pool's threads.

use super::{Barrier, Member, Team};
use rayon::ThreadPool;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Runs regions on every thread of a rayon pool, for programs that already have one.
///
/// A region waits until all threads of the pool are free, so do not open one while long tasks
/// run there; entering from outside costs tens of microseconds. rayon allocates for every region, a
/// job for each thread and room for what they return, so that operations which allocate nothing
/// themselves ([`gemm::Plan::run`](crate::gemm::Plan::run)) do so through this team; with
/// [`SpinTeam`](super::SpinTeam) they do not.
///
/// ```
/// use tilewise::{RayonTeam, Team};
/// let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
/// RayonTeam::new(&pool).run(&|member| assert_eq!(member.count(), 2));
/// # Ok::<(), rayon::ThreadPoolBuildError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct RayonTeam<'a> {
    pool: &'a ThreadPool,
}

impl<'a> RayonTeam<'a> {
    /// Borrows the pool.
    pub fn new(pool: &'a ThreadPool) -> Self {
        RayonTeam { pool }
    }
}

// SAFETY: `broadcast` runs once on each thread of the pool, whose indices differ, and waits for
// all of them.
#[allow(unsafe_code, reason = "the team's hand-off")]
unsafe impl Team for RayonTeam<'_> {
    fn size(&self) -> usize {
        self.pool.current_num_threads()
    }

    fn run(&self, work: &(dyn Fn(Member<'_>) + Sync)) {
        let barrier = Barrier::new(self.size());
        // `broadcast` runs once on every thread, all at once: what a region promises.
        let results = self.pool.broadcast(|context| {
            let member = Member::new(context.index(), context.num_threads(), &barrier);
            catch_unwind(AssertUnwindSafe(|| work(member))).inspect_err(|_| barrier.break_up())
        });
        if let Some(panic) = results.into_iter().find_map(Result::err) {
            resume_unwind(panic);
        }
    }
}
