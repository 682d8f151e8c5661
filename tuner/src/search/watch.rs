//! Notices a candidate that does not come back.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Patience is counted in so many waits, of which one is lost at most while the whole process is
/// stopped.
const SLICES: u32 = 100;

/// What is done about it, told the recipe.
pub(super) type GiveUp = Box<dyn FnOnce(&str) + Send>;

/// A thread beside a search that looks how long each candidate takes.
pub(super) struct Watch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    doing: Mutex<Doing>,
    changed: Condvar,
}

#[derive(Default)]
struct Doing {
    /// Candidates begun so far.
    begun: usize,
    /// The one under way.
    recipe: Option<String>,
    /// The search has ended.
    over: bool,
}

impl Watch {
    /// Calls `give_up` once, if a candidate takes longer than `patience`. Without a thread to be
    /// had, nobody watches.
    pub(super) fn start(patience: Duration, give_up: GiveUp) -> Watch {
        let shared = Arc::new(Shared::default());
        let watched = Arc::clone(&shared);
        let watch = move || watched.watch(patience, give_up);
        let thread = thread::Builder::new().name("tilewise-watch".into()).spawn(watch).ok();
        Watch { shared, thread }
    }

    /// A candidate begins.
    pub(super) fn begin(&self, recipe: String) {
        self.shared.change(|doing| {
            doing.begun += 1;
            doing.recipe = Some(recipe);
        });
    }

    /// It has ended.
    pub(super) fn end(&self) {
        self.shared.change(|doing| doing.recipe = None);
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.change(|doing| doing.over = true);
        if let Some(thread) = self.thread.take() {
            // What `give_up` panicked with has been printed.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Doing> {
        // Nothing panics while it holds the lock.
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Doing)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn watch(&self, patience: Duration, give_up: GiveUp) {
        let mut doing = self.lock();
        while !doing.over {
            let Some(recipe) = doing.recipe.clone() else {
                doing = self.changed.wait(doing).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let begun = doing.begun;
            let same = move |doing: &mut Doing| {
                !doing.over && doing.recipe.is_some() && doing.begun == begun
            };
            let mut late = 0;
            while late < SLICES && same(&mut doing) {
                let waited = self.changed.wait_timeout_while(doing, patience / SLICES, same);
                let (now, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                doing = now;
                late += u32::from(timeout.timed_out());
            }
            if same(&mut doing) {
                drop(doing);
                return give_up(&recipe);
            }
        }
    }
}
