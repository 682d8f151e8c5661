//! What the common flags mean on this machine.

use super::args::{Common, ModeArg, WisdomArg};
use super::failure::Failure;
use super::{output, tune};
use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;
use tilewise::isa::MissingIsa;
use tilewise::{Solo, SpinTeam, Team};
use tilewise_harness::roofs::CoreClock;
use tilewise_tuner::machine::Machine;
use tilewise_tuner::problem::Setting;
use tilewise_tuner::space::Tunable;
use tilewise_tuner::wisdom::{BadLine, Chosen, Source, Wisdom};

/// Time for a shape that is tuned on the way to being measured.
const TUNING: Duration = Duration::from_secs(10);

/// Machine, instruction set, threads and wisdom, all checked.
pub(super) struct Setup {
    pub(super) machine: Machine,
    pub(super) wisdom: Wisdom,
    /// Where new wisdom goes; nowhere if it is off.
    pub(super) wisdom_file: Option<PathBuf>,
    pub(super) mode: Option<ModeArg>,
    isa: tilewise::Isa,
    threads: usize,
    team: SpinTeam,
}

impl Setup {
    /// Reads the machine and checks the flags against it. `may_be_new`: a named file of wisdom
    /// need not exist, because this command makes it.
    pub(super) fn new(common: &Common, may_be_new: bool) -> Result<Setup, Failure> {
        let machine = Machine::read();
        let isa = common.isa.unwrap_or(machine.best_isa);
        if !isa.is_available() {
            return Err(Failure::usage(format!("--isa {isa}: {}", MissingIsa(isa))));
        }
        let allowed = machine.cores.allowed;
        let threads = common.threads.unwrap_or(allowed);
        if !(1..=allowed).contains(&threads) {
            let expected = format!("expected 1 to {allowed}, the cores this process may use");
            return Err(Failure::usage(format!("--threads {threads}: {expected}")));
        }
        let (wisdom, wisdom_file) = wisdom(common, may_be_new)?;
        let team = SpinTeam::new(threads).map_err(Failure::failed)?;
        Ok(Setup { machine, wisdom, wisdom_file, mode: common.wisdom_mode, isa, threads, team })
    }

    /// Machine, instruction set and threads for the tuner.
    pub(super) fn setting(&self) -> Setting<'_> {
        Setting { machine: &self.machine, isa: self.isa, threads: self.threads }
    }

    /// A clock that can tell whether each of so many threads has a core.
    pub(super) fn core_clock(&self, threads: usize) -> Result<CoreClock<'_>, Failure> {
        let team: &dyn Team = if threads > 1 { &self.team } else { &Solo };
        CoreClock::new(self.isa, team, &self.machine.caches).map_err(Failure::failed)
    }

    /// The recipe for a problem, tuned first if the mode asks for that; a record that had to be
    /// refused is told.
    pub(super) fn choose<P: Tunable>(&self, problem: &P) -> Result<Chosen<P::Recipe>, Failure> {
        self.choose_in(problem, &self.setting())
    }

    /// The same for another setting than that of the flags.
    pub(super) fn choose_in<P: Tunable>(
        &self,
        problem: &P,
        setting: &Setting<'_>,
    ) -> Result<Chosen<P::Recipe>, Failure> {
        let chosen = self.wisdom.choose(problem, setting);
        let missing = chosen.source != Source::Tuned;
        let tuned = match self.mode {
            Some(ModeArg::Force) => true,
            Some(ModeArg::TuneMissing) => missing,
            Some(ModeArg::Off | ModeArg::Load) | None => false,
        };
        if tuned {
            let found = tune::search(self, setting, problem, TUNING)?;
            let mut wisdom = Wisdom::default();
            wisdom.add(found.record);
            return Ok(wisdom.choose(problem, setting));
        }
        if let Some(reason) = &chosen.refused {
            let shape = problem.shape();
            output::remark(format_args!(
                "the record of {} with {shape} is not used: {reason}; tune it again",
                P::KERNEL
            ));
        }
        Ok(chosen)
    }

    /// As many members as there are threads.
    pub(super) fn team(&self) -> &dyn Team {
        &self.team
    }

    /// Whether there is memory for so many bytes. Memory that is only promised is taken back by
    /// force, so it is asked for before anything is made.
    pub(super) fn check_memory(&self, what: impl Display, bytes: usize) -> Result<(), Failure> {
        match self.machine.memory_available.known() {
            _ if bytes == usize::MAX => Err(Failure::usage(format!(
                "{what} needs more memory than this machine can address; use smaller sizes"
            ))),
            Some(&available) if bytes as u64 > available => Err(Failure::usage(format!(
                "{what} needs {:.1} GB in all; {:.1} GB are available, use smaller sizes",
                bytes as f64 / 1e9,
                available as f64 / 1e9
            ))),
            _ => Ok(()),
        }
    }
}

/// All layers that were asked for, and the file that new records go to.
fn wisdom(common: &Common, may_be_new: bool) -> Result<(Wisdom, Option<PathBuf>), Failure> {
    let tunes = matches!(common.wisdom_mode, Some(ModeArg::TuneMissing | ModeArg::Force));
    let may_be_new = may_be_new || tunes;
    if common.wisdom_mode == Some(ModeArg::Off) {
        return Ok((Wisdom::default(), None));
    }
    let (mut wisdom, file) = match &common.wisdom {
        Some(WisdomArg::Off) => return Ok((Wisdom::default(), None)),
        Some(WisdomArg::File(file)) => {
            if !may_be_new && !file.exists() {
                let path = file.display();
                return Err(Failure::failed(format!("--wisdom {path}: there is no such file")));
            }
            (Wisdom::load_default().map_err(Failure::failed)?, Some(file.clone()))
        }
        None => (Wisdom::shipped(), Wisdom::default_path()),
    };
    // A file that somebody named, or that is to be written, is wisdom or not what was meant.
    let strict = may_be_new || common.wisdom.is_some();
    let load = if strict { Wisdom::load_to_save } else { Wisdom::load };
    if let Some(path) = &file {
        wisdom.overlay(load(path).map_err(Failure::failed)?);
    }
    tell_bad_lines(wisdom.bad_lines());
    Ok((wisdom, file))
}

/// One remark for all lines of a file that are wrong in the same way: a file of an older version is
/// wrong in every line.
pub(super) fn tell_bad_lines(lines: &[BadLine]) {
    for same in lines.chunk_by(|a, b| a.origin == b.origin && a.reason == b.reason) {
        match same {
            [one] => output::remark(format_args!("not used: {one}")),
            many => output::remark(format_args!(
                "not used, like {} more below it: {}",
                many.len() - 1,
                many[0]
            )),
        }
    }
}
