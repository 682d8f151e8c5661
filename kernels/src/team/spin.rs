//! The default team: its own threads, spinning briefly between regions, then parked.
//!
//! They are pinned to no core. The caller is a member that is not ours to pin, and a worker pinned
//! to the core the caller happens to be on stays there with it: on an idle two-core machine such a
//! team had one core's speed in 45 % and 36 % of two runs, for seconds at a time, against none of
//! 168 samples with workers the scheduler may move.
//!
//! Which it may fail to do. A worker that is woken on the caller's core spins there for the next
//! region while the caller waits for the core, parks, and is woken there again: on a two-core
//! virtual machine a product of 8 us took 250 us in some runs, for as long as they lasted. So a
//! caller that had to wait for long says where it is, and a worker that finds itself there steps
//! aside.

use super::barrier::wait_until;
use super::{Barrier, Member, Team, place};
use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, Ordering::*};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

/// How long a worker spins for the next region before it parks. Regions of one forward pass or
/// one Lloyd iteration follow each other within tens of microseconds.
const SPIN_FOR: Duration = Duration::from_micros(200);

thread_local! {
    /// Whether this thread is inside a region: a second region opened there runs inline, for the
    /// team's other members are busy in the first.
    static IN_REGION: Cell<bool> = const { Cell::new(false) };
}

/// A team of threads that lives as long as the value; the caller of [`Team::run`] is member 0.
///
/// More members than cores work, slowly.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use tilewise::{SpinTeam, Team};
/// let team = SpinTeam::new(2)?;
/// let sum = AtomicUsize::new(0);
/// team.run(&|member| {
///     sum.fetch_add(member.share(100).sum::<usize>(), Ordering::Relaxed);
/// });
/// assert_eq!(sum.into_inner(), (0..100).sum());
/// # Ok::<(), tilewise::team::TeamError>(())
/// ```
#[derive(Debug)]
pub struct SpinTeam {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// One region at a time, also when several threads share the team.
    turn: Mutex<()>,
}

/// A team that could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TeamError {
    /// A team has at least the caller.
    #[error("a team of 0 members was asked for; the caller alone makes 1")]
    Empty,
    /// The system gave no more threads.
    #[error("thread {index} of {size} could not be started: {source}; ask for fewer threads")]
    Spawn {
        /// Which one.
        index: usize,
        /// How many were asked for.
        size: usize,
        /// What the system said.
        source: std::io::Error,
    },
}

impl SpinTeam {
    /// Starts `size - 1` threads.
    ///
    /// # Errors
    /// [`TeamError`] for a size of 0 or when the system refuses a thread.
    pub fn new(size: usize) -> Result<Self, TeamError> {
        let workers = size.checked_sub(1).ok_or(TeamError::Empty)?;
        let shared = Arc::new(Shared::new(size));
        let mut team = SpinTeam { shared, workers: Vec::new(), turn: Mutex::new(()) };
        for index in 1..=workers {
            let shared = Arc::clone(&team.shared);
            let worker = thread::Builder::new()
                .name(format!("tilewise-{index}"))
                .spawn(move || shared.serve(index))
                .map_err(|source| TeamError::Spawn { index, size, source })?;
            team.workers.push(worker);
        }
        Ok(team)
    }

    /// As many members as this process may use cores (affinity and, on Linux, the cgroup's
    /// quota).
    ///
    /// # Errors
    /// As [`SpinTeam::new`].
    pub fn all_cores() -> Result<Self, TeamError> {
        Self::new(thread::available_parallelism().map_or(1, usize::from))
    }

    fn wake(&self, stop: bool) {
        self.shared.stop.store(stop, Relaxed);
        self.shared.region.fetch_add(1, SeqCst);
        for (worker, parked) in self.workers.iter().zip(&self.shared.parked) {
            if parked.swap(false, SeqCst) {
                let thread: &Thread = worker.thread();
                thread.unpark();
            }
        }
    }
}

// SAFETY: the caller is member 0 and worker `i` member `i`, each takes part once, and `run` waits
// for all of them.
#[allow(unsafe_code, reason = "the team's hand-off")]
unsafe impl Team for SpinTeam {
    fn size(&self) -> usize {
        self.workers.len() + 1
    }

    fn run(&self, work: &(dyn Fn(Member<'_>) + Sync)) {
        if self.workers.is_empty() || IN_REGION.get() {
            return super::Solo.run(work);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let barrier = Barrier::new(self.size());
        let job = Job { work, barrier: &barrier, panic: Mutex::new(None) };
        self.shared.finished.store(0, Relaxed);
        self.shared.post(&job);
        self.wake(false);
        job.take_part(0, self.size());
        // The job lives on this stack: nobody may leave before every worker is done with it.
        let late = wait_until(|| self.shared.finished.load(Acquire) == self.workers.len());
        self.shared.crowded.store(if late { place::current() } else { place::NOWHERE }, Relaxed);
        if let Some(panic) = job.panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(panic);
        }
    }
}

impl Drop for SpinTeam {
    fn drop(&mut self) {
        self.wake(true);
        for worker in self.workers.drain(..) {
            // Workers catch what their work throws; there is nothing left to report.
            let _ = worker.join();
        }
    }
}

/// One region's work and meeting point.
struct Job<'a> {
    work: &'a (dyn Fn(Member<'_>) + Sync),
    barrier: &'a Barrier,
    /// The first panic: the others only stopped waiting for who will never come.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl Job<'_> {
    fn take_part(&self, index: usize, count: usize) {
        IN_REGION.set(true);
        let member = Member::new(index, count, self.barrier);
        let result = catch_unwind(AssertUnwindSafe(|| (self.work)(member)));
        IN_REGION.set(false);
        if let Err(panic) = result {
            self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
            self.barrier.break_up();
        }
    }
}

/// What the caller and the workers share.
#[derive(Debug)]
struct Shared {
    size: usize,
    /// Counts regions: a worker that sees it change has a job.
    region: AtomicU64,
    finished: AtomicUsize,
    stop: AtomicBool,
    /// The core of a caller that had to wait for long, so that perhaps a worker is there too.
    crowded: AtomicUsize,
    /// Which workers must be woken, worker 1 first.
    parked: Vec<AtomicBool>,
    job: handoff::Slot,
}

impl Shared {
    fn new(size: usize) -> Self {
        Shared {
            size,
            region: AtomicU64::new(0),
            finished: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            crowded: AtomicUsize::new(place::NOWHERE),
            parked: (1..size).map(|_| AtomicBool::new(false)).collect(),
            job: handoff::Slot::default(),
        }
    }

    fn serve(&self, index: usize) {
        let mut seen = 0;
        loop {
            seen = self.next_region(index, seen);
            if self.stop.load(Relaxed) {
                return;
            }
            // Read before the work is done: the next region may say otherwise.
            let crowded = self.crowded.load(Relaxed);
            self.with_job(|job| job.take_part(index, self.size));
            self.finished.fetch_add(1, AcqRel);
            place::step_aside(crowded);
        }
    }

    /// Waits for a region after `seen`: spinning first, then parked.
    fn next_region(&self, index: usize, seen: u64) -> u64 {
        let mut since = None;
        loop {
            for _ in 0..64 {
                let region = self.region.load(Acquire);
                if region != seen {
                    return region;
                }
                std::hint::spin_loop();
            }
            if since.get_or_insert_with(Instant::now).elapsed() < SPIN_FOR {
                continue;
            }
            // Raise the flag, then look once more: the caller counts first and reads it second.
            let parked = &self.parked[index - 1];
            parked.store(true, SeqCst);
            while self.region.load(SeqCst) == seen && parked.load(SeqCst) {
                thread::park();
            }
            parked.store(false, SeqCst);
        }
    }
}

#[allow(unsafe_code, reason = "the team's hand-off: a job on the caller's stack, seen by workers")]
mod handoff {
    use super::{Job, Ordering, Shared};
    use std::sync::atomic::AtomicPtr;

    /// Where the caller leaves the job of a region.
    pub(super) type Slot = AtomicPtr<Job<'static>>;

    impl Shared {
        /// Leaves `job` for the workers.
        pub(super) fn post(&self, job: &Job<'_>) {
            self.job.store(std::ptr::from_ref(job).cast_mut().cast(), Ordering::Release);
        }

        /// Hands the job of the present region to `take`.
        pub(super) fn with_job(&self, take: impl FnOnce(&Job<'_>)) {
            // SAFETY: `post` stored a pointer to a job before the region count changed, and
            // `run` keeps that job alive until every worker has counted itself finished, which
            // this one does after `take` has returned.
            take(unsafe { &*self.job.load(Ordering::Acquire) });
        }
    }
}
