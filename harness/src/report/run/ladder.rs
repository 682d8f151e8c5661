//! The ladder every kernel climbs: plain source off and on, by hand, tiled, threaded, tuned.

use super::super::number::threads as count;
use super::Plan;
use super::cell::Step;
use crate::baseline::{Baseline, fastest};
use crate::workload::{Candidate, try_out};
use std::collections::BTreeMap;
use tilewise_tuner::problem::{Problem, Setting};
use tilewise_tuner::wisdom::{Chosen, Source};

/// Candidates and the rungs they stand on.
pub(super) struct Ladder<'a> {
    pub(super) candidates: Vec<Candidate<'a>>,
    pub(super) steps: Vec<Step>,
    pub(super) scaling: Vec<String>,
    pub(super) offers: Offers,
    /// Seconds of every plain loop order that was tried.
    pub(super) tried: BTreeMap<String, f64>,
}

/// What a user gets on a number of threads.
#[derive(Default)]
pub(super) struct Offer {
    /// The arm with the estimated recipe.
    pub(super) default: String,
    /// The arm with the tuned one, where there is one.
    pub(super) tuned: Option<String>,
}

/// What a user gets on one thread and on all of them.
#[derive(Default)]
pub(super) struct Offers {
    pub(super) one: Offer,
    pub(super) all: Offer,
}

/// A rung by hand on one thread, below the estimated recipe.
pub(super) struct Early<R> {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) title: &'static str,
    pub(super) recipe: R,
}

/// Makes a candidate of ours of that name, following a recipe.
pub(super) type Make<'m, 'a, R> = dyn Fn(&str, &Chosen<R>) -> Result<Candidate<'a>, String> + 'm;

/// A rung of plain source: the loop orders of a build, of which the fastest stands on it.
pub(super) struct Plain<'a> {
    pub(super) label: &'static str,
    pub(super) name: &'static str,
    pub(super) orders: Vec<Candidate<'a>>,
}

/// Both builds of the plain source, the usual first rungs.
pub(super) fn both<'a>(orders: impl Fn(Baseline) -> Vec<Candidate<'a>>) -> Vec<Plain<'a>> {
    vec![
        Plain { label: "plain, scalar", name: "plain", orders: orders(Baseline::scalar()) },
        Plain { label: "vectorised by compiler", name: "auto", orders: orders(Baseline::auto()) },
    ]
}

/// Builds it. `label` names what the estimated recipe adds to the early rungs.
pub(super) fn ladder<'a, P: Problem>(
    plan: &Plan<'_>,
    problem: &P,
    plain: Vec<Plain<'a>>,
    (early, label): (Vec<Early<P::Recipe>>, &str),
    make: &Make<'_, 'a, P::Recipe>,
) -> Result<Ladder<'a>, String> {
    let mut ladder = Ladder::plain(plain);
    for Early { name, label, title, recipe } in early {
        ladder.candidates.push(make(name, &Chosen::given(recipe))?.titled(title));
        ladder.steps.push(Step::new(label, name));
    }
    let most = plan.setting.threads;
    for threads in thread_counts(most) {
        let setting = Setting { threads, ..plan.setting };
        let name = match threads {
            1 => "tiled".to_owned(),
            _ => format!("threads-{threads}"),
        };
        let candidate = make(&name, &Chosen::estimated(problem.estimate(&setting)))?;
        let title = format!("by hand, estimated recipe, {}", count(threads));
        ladder.candidates.push(candidate.titled(&title));
        match threads {
            1 => ladder.steps.push(Step::new(label, &name)),
            _ if threads == most => ladder.steps.push(Step::new(&count(threads), &name)),
            _ => {}
        }
        if threads == 1 {
            ladder.offers.one.default.clone_from(&name);
        }
        ladder.offers.all.default.clone_from(&name);
        ladder.scaling.push(name);
    }
    ladder.tuned(plan, problem, make)?;
    Ok(ladder)
}

impl<'a> Ladder<'a> {
    /// The fastest loop order for each of the plain rungs.
    pub(super) fn plain(rungs: Vec<Plain<'a>>) -> Ladder<'a> {
        let mut ladder = Ladder {
            candidates: Vec::new(),
            steps: Vec::new(),
            scaling: Vec::new(),
            offers: Offers::default(),
            tried: BTreeMap::new(),
        };
        for Plain { label, name, orders } in rungs {
            let winner = ladder.beside(name, orders);
            ladder.candidates.push(winner);
            ladder.steps.push(Step::new(label, name));
        }
        ladder
    }

    /// The fastest of some loop orders under a name of its own, for the caller to place; what all
    /// of them took is noted.
    pub(super) fn beside(&mut self, name: &str, mut orders: Vec<Candidate<'a>>) -> Candidate<'a> {
        let choice = fastest(0..orders.len(), |order| try_out(&mut *orders[order].work));
        let entry = |(at, seconds): (usize, f64)| (orders[at].title.clone(), seconds);
        self.tried.extend(choice.all.into_iter().map(entry));
        let mut winner = orders.swap_remove(choice.winner);
        winner.name = name.into();
        winner
    }

    /// What the search found, for all threads (the last rung) and for one. Where it kept the
    /// estimate there is an arm of that already: another would measure noise, and might be called
    /// slower.
    fn tuned<P: Problem>(
        &mut self,
        plan: &Plan<'_>,
        problem: &P,
        make: &Make<'_, 'a, P::Recipe>,
    ) -> Result<(), String> {
        let most = plan.setting.threads;
        let mut counts = vec![1, most];
        counts.dedup();
        for threads in counts {
            let setting = Setting { threads, ..plan.setting };
            let chosen = plan.wisdom.choose(problem, &setting);
            let is_tuned = chosen.source == Source::Tuned;
            if is_tuned && chosen.recipe != problem.estimate(&setting) {
                let name = format!("tuned-{threads}");
                let title = format!("by hand, tuned recipe, {}", count(threads));
                self.candidates.push(make(&name, &chosen)?.titled(&title));
                if threads == most {
                    self.steps.push(Step::new("tuned", &name));
                    self.offers.all.tuned = Some(name.clone());
                }
                if threads == 1 {
                    self.offers.one.tuned = Some(name);
                }
            } else if threads == most {
                let command = format!("(tilewise tune {})", P::KERNEL);
                let why = match chosen.refused {
                    _ if is_tuned => "tuning kept the estimated recipe, measured above".to_owned(),
                    Some(reason) => {
                        format!("not tuned: its record is not used, {reason} {command}")
                    }
                    None => format!("not tuned {command}"),
                };
                self.steps.push(Step::missing("tuned", &why));
            }
        }
        Ok(())
    }
}

/// Powers of two, and all.
fn thread_counts(most: usize) -> Vec<usize> {
    let powers = (0..usize::BITS).map(|power| 1 << power).take_while(|&count| count < most);
    powers.chain([most]).collect()
}
