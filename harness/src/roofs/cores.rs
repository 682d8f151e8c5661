//! Whether every thread has a core of its own, asked of the threads themselves.
//!
//! Two virtual cores may be two halves of one real core, for seconds at a time and without a word
//! in any count of the system's: then arithmetic on both is as fast as on one. So the clock of a
//! report runs the compute probe on the caller and on the whole team before every round.

use super::{Error, Probe, Quantity};
use tilewise::cache::CacheSizes;
use tilewise::{Isa, Team};
use tilewise_tuner::measure::{Clock, Counters, Rule, SystemClock};

/// Share of its usual part of a core below which a thread counts as crowded.
pub const CROWDED: f64 = 0.8;

/// Looks of which the best counts: what interrupts one of them is not what is looked for.
const LOOKS: usize = 3;

/// The system's clock, which can also tell how much of a core each member of a team has.
pub struct CoreClock<'a> {
    system: SystemClock,
    team: &'a dyn Team,
    /// On the caller, and on all members; none where there is nothing to compare.
    probes: Option<[Probe; 2]>,
}

impl<'a> CoreClock<'a> {
    /// A clock that starts at zero. Without vector instructions, or in a team of one, it is the
    /// system's and no more.
    ///
    /// # Errors
    /// [`Error::Isa`].
    pub fn new(isa: Isa, team: &'a dyn Team, caches: &CacheSizes) -> Result<Self, Error> {
        let probe = |threads| Probe::new(Quantity::F32Compute, isa, threads, caches);
        let can_tell = isa != Isa::Scalar && team.size() > 1;
        let probes = can_tell.then(|| Ok::<_, Error>([probe(1)?, probe(team.size())?]));
        Ok(CoreClock { system: SystemClock::new(), team, probes: probes.transpose()? })
    }

    /// Marks rounds in which threads have a good deal less of a core than they have now.
    pub fn rule(&self) -> Rule {
        let shares = (0..LOOKS).filter_map(|_| self.core_share());
        let mut rule = Rule::default();
        rule.core_share = CROWDED * shares.fold(0.0, f64::max);
        rule
    }

    fn seconds(&self, probe: &Probe) -> f64 {
        let start = self.now();
        probe.run(self.team).expect("the probe was made for this team");
        self.now() - start
    }
}

impl Clock for CoreClock<'_> {
    fn now(&self) -> f64 {
        self.system.now()
    }

    fn counters(&self) -> Counters {
        self.system.counters()
    }

    fn core_share(&self) -> Option<f64> {
        let [one, all] = self.probes.as_ref()?;
        self.seconds(all); // wakes those who sleep
        let best = |probe| (0..LOOKS).map(|_| self.seconds(probe)).fold(f64::MAX, f64::min);
        Some(best(one) / best(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tilewise::{Solo, SpinTeam};

    #[test]
    fn a_team_has_a_share_of_its_cores_and_one_alone_is_not_asked() {
        let caches = CacheSizes::ASSUMED;
        let team = SpinTeam::new(2).expect("two threads");
        for isa in Isa::available() {
            let clock = CoreClock::new(isa, &team, &caches).expect("it is available");
            // Nobody promises the test a machine of its own.
            let told = clock.core_share().map(|share| share > 0.0);
            assert_eq!(told, (isa != Isa::Scalar).then_some(true), "{isa}");
            let alone = CoreClock::new(isa, &Solo, &caches).expect("it is available");
            assert_eq!(alone.core_share(), None, "{isa}");
        }
    }
}
