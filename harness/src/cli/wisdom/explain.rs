//! `tilewise wisdom explain`: which record is used for a shape, which are not, and why.

use super::super::args::{Common, TuneKernel};
use super::super::failure::Failure;
use super::super::output;
use super::super::problem::{self, Task};
use super::super::setup::Setup;
use super::{changes, evidence};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tilewise_tuner::machine::Identity;
use tilewise_tuner::space::Tunable;
use tilewise_tuner::wisdom::{Considered, Verdict};

/// Records that are not used and shown one by one; the others are counted.
const SHOWN: usize = 10;

pub(super) fn run(common: &Common, kernel: &TuneKernel) -> Result<(), Failure> {
    let setup = Setup::new(common, false)?;
    problem::typed(kernel, &setup, common.seed, &mut Explain { setup: &setup, json: common.json })
}

struct Explain<'a> {
    setup: &'a Setup,
    json: bool,
}

impl Task for Explain<'_> {
    fn run<P: Tunable>(&mut self, problem: &P) -> Result<(), Failure> {
        let setting = self.setup.setting();
        let explained = self.setup.wisdom.explain(problem, &setting);
        let chosen = &explained.chosen;
        let used = explained.considered.iter().filter(|considered| considered.against.is_empty());
        let unused: Vec<&Considered> = explained
            .considered
            .iter()
            .filter(|considered| !considered.against.is_empty())
            .collect();
        let here = setting.identity();
        let (unused, foreign): (Vec<&Considered>, Vec<&Considered>) =
            unused.into_iter().partition(|considered| considered.record.identity.cpu == here.cpu);
        let recipe = serde_json::to_value(chosen.recipe).map_err(Failure::failed)?;
        if self.json {
            let record = |c: &Considered| json!({"record": c.record, "origin": c.origin.to_string(), "against": c.against});
            return output::print(json!({
                "schema": 1,
                "kernel": P::KERNEL,
                "shape": problem.shape(),
                "dtype": problem.dtype(),
                "threads_allowed": setting.threads,
                "recipe": recipe,
                "recipe_source": chosen.source,
                "wisdom_verdict": chosen.verdict,
                "refused": chosen.refused,
                "considered": explained.considered.iter().map(record).collect::<Vec<Value>>(),
            }));
        }
        let mut lines = vec![
            format!(
                "{}, {}, {}, {}, at most {} thread(s)",
                P::KERNEL,
                problem.shape(),
                problem.dtype(),
                setting.isa,
                setting.threads
            ),
            format!("recipe     {}", chosen.recipe),
            format!("source     {}", chosen.source),
        ];
        if let Some(why) = &chosen.refused {
            lines.push(format!("refused    the record of this shape: {why}"));
        }
        for Considered { record, origin, .. } in used {
            lines.push(format!("used       {} ({origin})", evidence(record)));
        }
        for considered in unused.iter().take(SHOWN) {
            let Considered { record, origin, against } = considered;
            let (shape, why) = (&record.shape, against.join("; "));
            lines.push(format!("not used   {shape}: {} ({origin}): {why}", changes(record)));
        }
        if let Some(more @ 1..) = unused.len().checked_sub(SHOWN) {
            lines.push(format!("           and {more} more (--json lists all)"));
        }
        lines.extend(of_others(&foreign, P::SURFACE));
        if explained.considered.is_empty() {
            lines.push(format!("           there is no record of {}", P::KERNEL));
        }
        output::print(lines.join("\n"))
    }
}

/// Records of other CPUs, a line for each of these: what speaks against one does against all.
fn of_others(foreign: &[&Considered], surface: u32) -> Vec<String> {
    let mut counts = BTreeMap::<_, usize>::new();
    for Considered { record, origin, .. } in foreign {
        let Identity { cpu, isa, .. } = &record.identity;
        // What `Wisdom::hints` goes by.
        let use_here = match record.evidence.verdict {
            _ if record.surface != surface => "of another version of the kernel",
            Verdict::Faster => "first tries of a search here",
            Verdict::NotSeparable => "defaults there, nothing to try here",
        };
        let of = (cpu.as_str(), isa.to_string(), origin.to_string(), use_here);
        *counts.entry(of).or_default() += 1;
    }
    let line = |((cpu, isa, origin, use_here), count): ((&str, String, String, &str), usize)| {
        let records = if count == 1 { "record" } else { "records" };
        format!("not used   {count} {records} of another CPU, {cpu}, {isa} ({origin}): {use_here}")
    };
    counts.into_iter().map(line).collect()
}
