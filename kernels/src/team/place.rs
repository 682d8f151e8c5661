//! Which core a thread is on, and how it leaves one that it shares.

/// Beyond every core's number.
pub(super) const NOWHERE: usize = usize::MAX;

/// The core this thread is on, [`NOWHERE`] where the system does not say.
pub(super) fn current() -> usize {
    #[cfg(target_os = "linux")]
    return rustix::thread::sched_getcpu();
    #[cfg(not(target_os = "linux"))]
    NOWHERE
}

/// Moves this thread to another core than `taken`, if it is on that one and may use others. It is
/// not pinned there. Costs nothing if `taken` is [`NOWHERE`].
pub(super) fn step_aside(taken: usize) {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{sched_getaffinity, sched_setaffinity};
        if taken == NOWHERE || current() != taken {
            return;
        }
        let Ok(all) = sched_getaffinity(None) else { return };
        let mut others = all;
        others.unset(taken);
        // Forbidding a core for a moment is the one way to be moved off it at once. From then on
        // these cores are what this thread asked for, also if more are allowed later.
        if others.count() > 0 && sched_setaffinity(None, &others).is_ok() {
            let _ = sched_setaffinity(None, &all);
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = taken;
}
