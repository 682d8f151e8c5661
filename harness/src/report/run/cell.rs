//! One cell: checks every candidate, times those that were right, and draws the conclusions.

use super::super::model::{
    Arm, Bound, Cell, Comparison, Headline, PartTime, RawSession, Rung, Total, Whole,
};
use super::Error;
use super::ladder::{Ladder, Offer, Offers};
use super::roofs::{Bounding, Roofs};
use crate::workload::{Amount, Candidate, Check, Kind, Part, Task};
use tilewise_tuner::measure::stats::CONFIDENCE;
use tilewise_tuner::measure::{self, Estimate, Ratio, Session, Stopwatch};

/// A cell before it is measured.
pub(super) struct Draft<'a> {
    pub(super) id: String,
    pub(super) origin: String,
    pub(super) task: Task,
    pub(super) ladder: Ladder<'a>,
    pub(super) comparisons: Vec<Pair>,
    pub(super) whole: Option<Whole>,
}

/// A rung before it is measured: the arm that stands on it, or why none does.
pub(super) struct Step {
    pub(super) label: String,
    pub(super) arm: Result<String, String>,
}

impl Step {
    pub(super) fn new(label: &str, arm: &str) -> Step {
        Step { label: label.into(), arm: Ok(arm.into()) }
    }

    pub(super) fn missing(label: &str, why: &str) -> Step {
        Step { label: label.into(), arm: Err(why.into()) }
    }
}

/// Two arms that differ in one thing.
pub(super) struct Pair {
    pub(super) label: String,
    pub(super) from: String,
    pub(super) to: String,
}

/// A cell with its raw samples.
pub(super) struct Measured {
    pub(super) cell: Cell,
    pub(super) sessions: Vec<RawSession>,
}

/// Checks and times a draft.
pub(super) fn measure(
    mut draft: Draft<'_>,
    watch: Stopwatch,
    roofs: &Roofs<'_>,
) -> Result<Measured, Error> {
    let checks: Vec<Check> =
        draft.ladder.candidates.iter_mut().map(|each| each.work.check()).collect();
    let failed = |source| Error::Session { cell: draft.id.clone(), source };
    let right = |name: &str| {
        let at = draft.ladder.candidates.iter().position(|candidate| candidate.name == name);
        at.is_some_and(|at| checks[at].passed())
    };
    let names: Vec<String> = draft.ladder.candidates.iter().map(|each| each.name.clone()).collect();
    let rungs: Vec<&str> =
        draft.ladder.steps.iter().filter_map(|step| step.arm.as_deref().ok()).collect();
    // Other arithmetic is another result: a rung of it is no end of the ladder.
    let alike = |name: &str| {
        let candidates = &draft.ladder.candidates;
        let of = candidates.iter().find(|each| each.name == name);
        of.is_some_and(|each| {
            each.arithmetic.is_none_or(|a| Some(a) == draft.task.amount.arithmetic)
        })
    };
    let rungs = rungs.into_iter().filter(|name| right(name) && alike(name));
    let rungs: Vec<String> = rungs.map(String::from).collect();
    let timed: Vec<String> = names.into_iter().filter(|name| right(name)).collect();
    let amount = draft.task.amount.clone();
    let bounds = draft.ladder.candidates.iter().map(|each| match each.kind {
        Kind::HandWritten => {
            let arithmetic = each.arithmetic.or(amount.arithmetic);
            let bytes = each.traffic.map_or(amount.bytes, |traffic| traffic.least);
            let amount = Amount { arithmetic, bytes, ..amount.clone() };
            roofs.over(&amount, &each.isa, each.threads)
        }
        _ => None,
    });
    let bounds: Vec<Option<Bounding<'_>>> = bounds.collect();
    let ends: Vec<&str> = match &rungs[..] {
        [first, .., last] => vec![first, last],
        _ => Vec::new(),
    };
    let (session, pair) = {
        let mut arms = self::arms(&mut draft.ladder.candidates, &timed);
        let mut probes: Vec<_> = bounds.iter().flatten().map(|bound| bound.probe).collect();
        probes.sort_by_key(|probe| probe.name());
        probes.dedup_by_key(|probe| probe.name());
        arms.extend(probes.into_iter().map(|probe| roofs.arm(probe)));
        roofs.session(watch, arms, &ends).map_err(failed)?
    };
    let total = total(&pair, &session, &rungs);
    let arms = records(&draft, checks, bounds, &session);
    let id = draft.id.clone();
    let cell = conclude(draft, arms, &session, total);
    let mut sessions = vec![RawSession { id: id.clone(), session }];
    if !pair.rounds.is_empty() {
        sessions.push(RawSession { id: format!("{id}/total"), session: pair });
    }
    Ok(Measured { cell, sessions })
}

/// The candidates of these names, ready to be timed; the last is its own control.
fn arms<'c>(candidates: &'c mut [Candidate<'_>], names: &[String]) -> Vec<measure::Arm<'c>> {
    let mut arms = Vec::new();
    for candidate in candidates.iter_mut().filter(|each| names.contains(&each.name)) {
        let is_last = names.last() == Some(&candidate.name);
        let arm = measure::Arm::new(candidate.name.clone(), || candidate.work.run());
        arms.push(if is_last { arm.with_control() } else { arm });
    }
    arms
}

fn records(
    draft: &Draft<'_>,
    checks: Vec<Check>,
    bounds: Vec<Option<Bounding<'_>>>,
    session: &Session,
) -> Vec<Arm> {
    let work = draft.task.amount.work;
    let record = |((candidate, check), bound): ((&Candidate<'_>, Check), Option<Bounding<'_>>)| {
        let time = session.time(&candidate.name).ok();
        Arm {
            name: candidate.name.clone(),
            title: candidate.title.clone(),
            kind: candidate.kind,
            isa: candidate.isa.clone(),
            threads: candidate.threads,
            recipe: candidate.recipe.clone(),
            check,
            time,
            rate: time.map(|time| over(work / 1e9, &time)),
            bound: bound.and_then(|bounding| bound_of(session, &candidate.name, work, bounding)),
            arithmetic: candidate.arithmetic,
            traffic: candidate.traffic,
            parts: if time.is_some() { parts(candidate) } else { Vec::new() },
        }
    };
    draft.ladder.candidates.iter().zip(checks).zip(bounds).map(record).collect()
}

/// What the parts of a candidate's work took, over all calls.
fn parts(candidate: &Candidate<'_>) -> Vec<PartTime> {
    let parts = candidate.work.parts().into_iter();
    let timed = parts.filter_map(|Part { name, seconds }| {
        let time = Estimate::of(&seconds, CONFIDENCE)?;
        // A nanosecond is less than the clock can tell; more digits are only longer.
        let seconds = seconds.iter().map(|s| (s * 1e9).round() / 1e9).collect();
        Some(PartTime { name, time, seconds })
    });
    timed.collect()
}

/// The share of the roof is taken within each round, where arm and roof met the same machine.
fn bound_of(session: &Session, name: &str, work: f64, bounding: Bounding<'_>) -> Option<Bound> {
    let Bounding { probe, per_unit, alone } = bounding;
    let limit = probe.roof(session.time(&probe.name()).ok()?);
    let ratio = session.ratio(name, &probe.name()).ok()?;
    let scaled = |estimate: Estimate, by: f64| Estimate {
        median: estimate.median * by,
        lo: estimate.lo * by,
        hi: estimate.hi * by,
        rounds: estimate.rounds,
    };
    let Ratio { median, lo, hi, rounds, .. } = ratio;
    let share = scaled(Estimate { median, lo, hi, rounds }, work * per_unit / probe.work());
    let limit = Estimate { median: limit.value, lo: limit.lo, hi: limit.hi, rounds };
    let limit = scaled(limit, 1.0 / per_unit);
    // A neighbour who takes a core from the probe lowers the roof, not the bound: to be above it
    // is to be above what it was alone, too.
    let rate = over(work / 1e9, &session.time(name).ok()?);
    let exceeded = share.lo > 1.0 && rate.lo > alone;
    Some(Bound { roof: probe.name(), limit, share, exceeded })
}

/// `amount` divided by an estimate: its ends change places.
fn over(amount: f64, time: &Estimate) -> Estimate {
    Estimate {
        median: amount / time.median,
        lo: amount / time.hi,
        hi: amount / time.lo,
        rounds: time.rounds,
    }
}

/// The first rung against the last, measured apart: as fast as its rungs say, or something in the
/// ladder made them faster or slower than they are on their own.
fn total(pair: &Session, session: &Session, rungs: &[String]) -> Option<Total> {
    let (from, to) = (rungs.first()?, rungs.last()?);
    let (measured, ladder) = (pair.ratio(to, from).ok()?, session.ratio(to, from).ok()?);
    let steps = rungs.windows(2).filter_map(|step| session.ratio(&step[1], &step[0]).ok());
    let product: f64 = steps.map(|ratio| ratio.median).product();
    let floor = 1.0 + pair.noise_floor().unwrap_or(0.0).max(session.noise_floor().unwrap_or(0.0));
    let meet = measured.lo <= ladder.hi * floor && ladder.lo <= measured.hi * floor;
    let (lo, hi) = (measured.lo.min(ladder.lo), measured.hi.max(ladder.hi));
    Some(Total {
        from: from.clone(),
        to: to.clone(),
        from_time: pair.time(from).ok()?,
        to_time: pair.time(to).ok()?,
        measured,
        ladder: Some(ladder),
        product,
        agrees: meet && (lo / floor..=hi * floor).contains(&product),
    })
}

fn conclude(draft: Draft<'_>, arms: Vec<Arm>, session: &Session, total: Option<Total>) -> Cell {
    let ratio = |to: &str, from: &str| session.ratio(to, from).ok();
    let rungs = rungs(draft.ladder.steps, &ratio);
    let headline = headline(&arms, &rungs, &draft.ladder.offers, &ratio);
    let untuned = headline.iter().flat_map(|headline| untuned(headline, &draft.ladder.offers));
    let pairs = draft.comparisons.into_iter().chain(untuned);
    let comparisons = pairs.filter_map(|Pair { label, from, to }| {
        let factor = ratio(&to, &from)?;
        Some(Comparison { label, from, to, factor })
    });
    let comparisons = comparisons.collect();
    Cell {
        id: draft.id,
        origin: draft.origin,
        task: draft.task,
        rungs,
        total,
        comparisons,
        headline,
        scaling: draft.ladder.scaling,
        control: session.control(),
        rounds: session.rounds.len(),
        marked: session.marked(),
        crowded: session.crowded(),
        arms,
        whole: draft.whole,
        tried: draft.ladder.tried,
    }
}

/// Every step against the one before it that has a time.
fn rungs(steps: Vec<Step>, ratio: &dyn Fn(&str, &str) -> Option<Ratio>) -> Vec<Rung> {
    let mut before: Option<String> = None;
    let rung = |step: Step| {
        let (arm, note) = match step.arm {
            Ok(arm) => (Some(arm), None),
            Err(why) => (None, Some(why)),
        };
        let factor = before.as_deref().zip(arm.as_deref()).and_then(|(from, to)| ratio(to, from));
        // A rung without a time is no base for the next.
        before = arm.clone().filter(|arm| ratio(arm, arm).is_some()).or(before.take());
        Rung { label: step.label, arm, factor, note }
    };
    steps.into_iter().map(rung).collect()
}

/// What a user gets, on all threads and on one, against the fastest plain arm on the ladder: what
/// stands beside it starts from something else.
fn headline(
    arms: &[Arm],
    rungs: &[Rung],
    offers: &Offers,
    ratio: &dyn Fn(&str, &str) -> Option<Ratio>,
) -> Option<Headline> {
    let seconds = |name: &str| {
        let arm = arms.iter().find(|arm| arm.name == name)?;
        arm.time.map(|time| (time.median, arm))
    };
    let on_ladder = rungs.iter().filter_map(|rung| seconds(rung.arm.as_deref()?));
    let plain = on_ladder.filter(|(_, arm)| arm.kind.is_plain());
    let (_, baseline) = plain.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let quoted = |offer: &Offer| {
        let tuned = offer.tuned.clone().filter(|name| seconds(name).is_some());
        tuned.unwrap_or_else(|| offer.default.clone())
    };
    let (arm, single_arm) = (quoted(&offers.all), quoted(&offers.one));
    Some(Headline {
        factor: ratio(&arm, &baseline.name)?,
        single: ratio(&single_arm, &baseline.name)?,
        baseline: baseline.name.clone(),
        arm,
        single_arm,
    })
}

/// Where the tuned recipe is quoted, the default is shown against the same baseline, too: it is
/// what those get who have not tuned, and where it loses it must say so.
fn untuned(headline: &Headline, offers: &Offers) -> Vec<Pair> {
    let Headline { baseline, arm, single_arm, .. } = headline;
    let mut pairs = Vec::new();
    for (quoted, offer) in [(arm, &offers.all), (single_arm, &offers.one)] {
        let shown = pairs.iter().any(|pair: &Pair| pair.to == offer.default);
        if *quoted != offer.default && !shown {
            let label = "Without tuning, against the fastest plain code".into();
            pairs.push(Pair { label, from: baseline.clone(), to: offer.default.clone() });
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::super::super::sample;
    use super::*;

    #[test]
    fn the_headline_is_what_a_user_gets() {
        let cell = sample::report().cells.swap_remove(0);
        let ratio = |_: &str, _: &str| Some(sample::ratio(2.0));
        let offers = |tuned: Option<&str>| Offers {
            one: Offer { default: "tiled".into(), tuned: None },
            all: Offer { default: "tiled".into(), tuned: tuned.map(Into::into) },
        };
        let quote = |tuned| headline(&cell.arms, &cell.rungs, &offers(tuned), &ratio);
        let given = quote(None).expect("all arms have times");
        assert_eq!((given.arm.as_str(), given.baseline.as_str()), ("tiled", "auto"));
        assert!(untuned(&given, &offers(None)).is_empty(), "it is quoted already");
        let tuned = quote(Some("threaded")).expect("all arms have times");
        assert_eq!((tuned.arm.as_str(), tuned.single_arm.as_str()), ("threaded", "tiled"));
        assert_eq!(untuned(&tuned, &offers(Some("threaded"))).len(), 1);
        let wrong = quote(Some("wrong")).expect("the default has a time");
        assert_eq!(wrong.arm, "tiled", "a tuned arm without a time is not quoted");
    }
}
