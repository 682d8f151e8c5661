//! A fit that shows how far it has come and ends when somebody has had enough, and what is left of
//! one that ended so; wherever its points are.

use super::claims::Claims;
use crate::cli::args::KmeansArgs;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::points::Number;
use crate::cli::setup::Setup;
use indicatif::{ProgressBar, ProgressStyle};
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;
use tilewise::Matrix;
use tilewise::kmeans::{
    Draws, Error, Fit, KMeans, Plan, Progress, ReadError, Seeded, Shape, Source, With,
};
use tilewise::vector::Real;
use tilewise_harness::interrupt;
use tilewise_harness::workload::{Candidate, Check, Work};

/// How long a bar waits before it shows itself.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is left where measuring is interrupted.
pub(super) const WRITTEN: &str = "what was asked for is written; times are not known";

/// What a fit is run with.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) args: &'a KmeansArgs,
    pub(super) plan: &'a Plan,
    pub(super) setup: &'a Setup,
    /// Whether somebody has had enough.
    pub(super) interrupted: &'a (dyn Fn() -> bool + Sync),
}

/// How a fit ended.
pub(super) enum Ended<C> {
    Whole(Fit<C>),
    /// By an interruption; nothing is left before the first iteration has ended.
    Early(Option<Left>),
}

/// Centres of a fit that was interrupted.
pub(super) struct Left {
    pub(super) start: usize,
    /// Of a start that was under way.
    pub(super) iteration: Option<usize>,
    pub(super) centres: Vec<f64>,
}

/// Fits, for as long as nobody wants to stop, with a bar that shows itself on a terminal if that takes
/// long. Interruptions are watched for if centres are to be written.
pub(super) fn fit<'a, T: Number>(
    settings: &KMeans,
    points: impl Into<Source<'a, T>>,
    run: Run<'_>,
) -> Result<Ended<T::Centre>, Error> {
    let Run { args, plan, setup, interrupted } = run;
    // Without a file for centres nothing would be left: then an interruption ends the process at once.
    if args.centers.is_some() {
        // Also said while times are measured, when it is written.
        interrupt::watch("ends once what was found so far is written");
    }
    let style = ProgressStyle::with_template("{bar:30} {msg}").expect("the template is fine");
    let bar = ProgressBar::new(args.max_iter as u64).with_style(style);
    let (mut last, mut best) = (None::<Left>, None);
    let mut watch = |progress: Progress<'_, T::Centre>| {
        show(&bar, progress);
        let Progress { start, iteration, centres, .. } = progress;
        last = Some(Left { start, iteration: Some(iteration), centres: flat(centres) });
        if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let mut draws = Shown { draws: Seeded::new(args.common.seed), bar: &bar, interrupted };
    let with = With::new(plan, setup.team()).watch(&mut watch).draws(&mut draws).keep(&mut best);
    let fit = settings.fit_with(points, with);
    bar.finish_and_clear();
    match fit {
        // Broken off after an iteration: of its start, unless one that had ended is better.
        Ok(fit) if fit.stopped() => {
            let under_way = last.is_some_and(|last| last.start == fit.start());
            Ok(Ended::Early(Some(Left::of(&fit, under_way.then_some(fit.iterations())))))
        }
        Ok(fit) => Ok(Ended::Whole(fit)),
        // A start that had ended is worth more than where a later one is.
        Err(error) if is_interruption(&error) => {
            Ok(Ended::Early(best.map(|fit| Left::of(&fit, None)).or(last)))
        }
        Err(error) => Err(error),
    }
}

fn show<C>(bar: &ProgressBar, progress: Progress<'_, C>) {
    if bar.elapsed() > PATIENCE {
        let Progress { start, iteration, shift, tolerance, .. } = progress;
        bar.set_position(iteration as u64);
        bar.set_message(format!(
            "start {start}, iteration {iteration}: centres moved {shift:.2e}, to end {tolerance:.2e}"
        ));
    }
}

/// The draws of the settings, of which every new centre wants some: that is seen on a bar, and they
/// come to an end when somebody has had enough.
struct Shown<'a> {
    draws: Seeded,
    bar: &'a ProgressBar,
    interrupted: &'a (dyn Fn() -> bool + Sync),
}

impl Draws for Shown<'_> {
    fn draw(&mut self) -> Option<f64> {
        if (self.interrupted)() {
            return None;
        }
        if self.bar.elapsed() > PATIENCE {
            self.bar.set_message("choosing where to start");
        }
        self.draws.draw()
    }
}

/// Whether it was us who stopped, reading or drawing.
pub(super) fn is_interruption(error: &Error) -> bool {
    match error {
        // Those of a seed end for no other reason.
        Error::TooFewDraws => true,
        Error::Read(ReadError { reason, .. }) => {
            let reason = reason.downcast_ref::<io::Error>();
            reason.is_some_and(|reason| reason.kind() == io::ErrorKind::Interrupted)
        }
        _ => false,
    }
}

impl Left {
    /// What a fit came to.
    pub(super) fn of<C: Real>(fit: &Fit<C>, iteration: Option<usize>) -> Left {
        Left { start: fit.start(), iteration, centres: flat(fit.centres()) }
    }

    /// What its centres are those of.
    pub(super) fn which(&self) -> String {
        let start = self.start;
        match self.iteration {
            Some(iteration) => format!("iteration {iteration} of start {start}"),
            None => format!("start {start}, the best of those that had ended"),
        }
    }
}

/// Writes what is left of a fit that was interrupted.
pub(super) fn stopped<T: Number>(
    left: Option<Left>,
    shape: Shape,
    claims: Claims,
) -> Result<(), Failure> {
    let Some(left) = left else {
        let left = "the first iteration had not ended, and nothing is written";
        return Err(Failure::Interrupted(left));
    };
    if !claims.write_centres::<T>(shape, &left.centres)? {
        return Err(Failure::Interrupted("nothing is written without --centers"));
    }
    let which = left.which();
    output::remark(format_args!("--centers are those of {which}; --init goes on from there"));
    Err(Failure::Interrupted("the result is partial"))
}

fn flat<C: Real>(centres: Matrix<'_, C>) -> Vec<f64> {
    (0..centres.rows()).flat_map(|row| centres.row(row)).map(|&c| c.into()).collect()
}

/// Goes on measuring what is written, unless somebody has had enough of that.
pub(super) fn go_on() -> Result<(), Failure> {
    if interrupt::caught() { Err(Failure::Interrupted(WRITTEN)) } else { Ok(()) }
}

/// The same candidate, which does nothing any more once somebody has had enough: rounds of nothing are
/// soon over.
pub(super) fn until_interrupted(candidate: Candidate<'_>) -> Candidate<'_> {
    struct Wanted<'a>(Box<dyn Work + 'a>);

    impl Work for Wanted<'_> {
        fn run(&mut self) {
            if !interrupt::caught() {
                self.0.run();
            }
        }

        fn check(&mut self) -> Check {
            self.0.check()
        }
    }

    Candidate { work: Box::new(Wanted(candidate.work)), ..candidate }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilewise::cache::CacheSizes;
    use tilewise::kmeans::Recipe;
    use tilewise::{Isa, Solo};

    /// What a bar says while centres are chosen, and where it stands and what it says after the last of
    /// three iterations, of a fit that began so long ago.
    fn shown(ago: Duration) -> (String, u64, String) {
        let bar = ProgressBar::hidden().with_elapsed(ago);
        let mut draws = Shown { draws: Seeded::new(1), bar: &bar, interrupted: &|| false };
        assert!(draws.draw().is_some());
        let seeding = bar.message();
        let (values, shape) = ([0.0f32, 1.0, 9.0, 10.0], Shape { n: 4, d: 1, k: 2 });
        let rows = Matrix::new(&values, 4, 1).expect("rows");
        let recipe = Recipe::estimate(shape, Isa::Scalar, &CacheSizes::ASSUMED, 1);
        let plan = Plan::new(shape, Isa::Scalar, recipe).expect("a plan");
        let mut watch = |progress: Progress<'_, f32>| {
            show(&bar, progress);
            ControlFlow::Continue(())
        };
        let with = With::new(&plan, &Solo).watch(&mut watch);
        let settings = KMeans::new(2).centres(rows.slice_rows(0..2)).tol(0.0);
        assert_eq!(settings.fit_with(rows, with).expect("a fit").iterations(), 3);
        (seeding, bar.position(), bar.message())
    }

    #[test]
    fn a_bar_shows_where_a_long_fit_is_and_nothing_of_a_short_one() {
        assert_eq!(shown(Duration::ZERO), (String::new(), 0, String::new()));
        let last = "start 1, iteration 3: centres moved 0.00e0, to end 0.00e0";
        assert_eq!(shown(2 * PATIENCE), ("choosing where to start".into(), 3, last.into()));
    }
}
