//! Stopping a process while others run, and continuing it: a stopped one has no threads that
//! spin, and nothing of it runs.

#[cfg(unix)]
mod unix {
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
    use std::io;
    use std::process::Child;

    fn pid(child: &Child) -> io::Result<Pid> {
        let raw = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        raw.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Stops it and waits until all of it stands still, or has ended.
    pub(in super::super) fn stop(child: &Child) -> io::Result<()> {
        let pid = pid(child)?;
        kill_process(pid, Signal::STOP)?;
        // Only looked at: an exit is left for whoever waits for the child.
        let standing = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), standing)?;
        Ok(())
    }

    /// Lets it go on.
    pub(in super::super) fn resume(child: &Child) -> io::Result<()> {
        Ok(kill_process(pid(child)?, Signal::CONT)?)
    }
}

#[cfg(unix)]
pub(super) use unix::{resume, stop};

/// Without signals a worker would run beside the others, which is no fair comparison.
#[cfg(not(unix))]
pub(super) fn stop(_child: &std::process::Child) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
pub(super) fn resume(_child: &std::process::Child) -> std::io::Result<()> {
    Ok(())
}
