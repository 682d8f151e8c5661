//! `tilewise wisdom export`: every candidate of a shape, measured, raw.

use super::super::args::Common;
use super::super::failure::Failure;
use super::super::output;
use super::super::problem::{self, Task};
use super::super::setup::Setup;
use super::args::Export;
use serde_json::json;
use std::time::Duration;
use tilewise_harness::report::files::{self, Claim};
use tilewise_tuner::measure::SystemClock;
use tilewise_tuner::recording::Recording;
use tilewise_tuner::space::Tunable;

pub(super) fn run(common: &Common, args: &Export) -> Result<(), Failure> {
    let setup = Setup::new(common, false)?;
    let claim = output::claim("--out", args.out.as_deref(), "gz")?;
    let claim = claim.ok_or_else(|| Failure::usage("export: no --out FILE was given"))?;
    let mut task =
        Record { setup: &setup, time: args.budget.budget, claim: Some(claim), json: common.json };
    problem::typed(&args.kernel, &setup, common.seed, &mut task)
}

struct Record<'a> {
    setup: &'a Setup,
    time: Duration,
    claim: Option<Claim>,
    json: bool,
}

impl Task for Record<'_> {
    fn run<P: Tunable>(&mut self, problem: &P) -> Result<(), Failure> {
        let clock = SystemClock::new();
        let setting = self.setup.setting();
        let recording = Recording::make(problem, &setting, self.time, &clock, |_| ())
            .map_err(Failure::failed)?;
        let claim = self.claim.take().expect("one problem is exported");
        let file = claim.target().display().to_string();
        let bytes = serde_json::to_vec(&recording).map_err(Failure::failed)?;
        let bytes = files::compress(&bytes).map_err(Failure::failed)?;
        let size = bytes.len();
        files::publish(vec![(claim, bytes)]).map_err(Failure::failed)?;
        let (points, rounds) = (recording.points.len(), recording.rounds.len());
        if self.json {
            return output::print(json!({
                "schema": 1,
                "kernel": P::KERNEL,
                "shape": problem.shape(),
                "points": points,
                "rounds": rounds,
                "rejected": recording.rejected,
                "noise": recording.noise(),
                "file": file,
                "bytes": size,
            }));
        }
        output::print(format!(
            "{}, {}: {points} points, {rounds} rounds, halves differ by {:.2} %; {size} bytes in {file}",
            P::KERNEL,
            problem.shape(),
            100.0 * recording.noise()
        ))
    }
}
