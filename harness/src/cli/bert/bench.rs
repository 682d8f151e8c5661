//! `tilewise bert bench`: forward passes over token numbers from a seed.

use super::Context;
use super::args::{BenchArgs, PrecisionArg};
use super::memory::Load;
use super::open::Opened;
use super::{instances, sample};
use crate::cli::failure::Failure;
use crate::cli::output;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tilewise_harness::bert::{
    Batch, Config, Encoder, Operation, Precision, Ranges, Room, Times, sequences,
};
use tilewise_harness::report::{digits, flatten, time_with_interval};
use tilewise_harness::workload::Check;
use tilewise_tuner::measure::stats::CONFIDENCE;
use tilewise_tuner::measure::{Arm, Estimate, Session, Stopwatch};

/// Time for the rounds of all arms.
const BUDGET: Duration = Duration::from_secs(10);

pub(super) fn run(context: Context<'_>, args: &BenchArgs) -> Result<(), Failure> {
    let model = Opened::bench(args, context.seed)?;
    check_sizes(args, &model.config)?;
    let cores = match args.instances {
        Some(_) if is_both(args) => {
            return Err(Failure::usage(
                "--precision both: with --instances one precision at a time is measured; expected \
                 fp32, int8 or int8-static",
            ));
        }
        Some(count) => {
            let most = context.setup.setting().threads;
            Some(instances::cores((count, args.cores_per_instance), most)?)
        }
        None => None,
    };
    // Weights are there once for all copies that run, a room for each.
    let precisions = if is_both(args) { 2 } else { 1 };
    let rooms = args.instances.unwrap_or(precisions);
    let (longest, tokens) = (args.seq, args.batch.saturating_mul(args.seq));
    Load { precisions, rooms, tokens, longest }.check(context, &model.config)?;
    let batch = sequences(&model.config, (args.batch, args.seq), context.seed);
    let bench = Bench { context, args, model: &model, batch: &batch };
    let arms = bench.arms()?;
    match cores {
        Some(cores) => bench.instances(&arms, &cores),
        None => bench.alone(&arms),
    }
}

fn is_both(args: &BenchArgs) -> bool {
    args.precision == PrecisionArg::Both
}

fn check_sizes(args: &BenchArgs, config: &Config) -> Result<(), Failure> {
    let most = config.positions;
    if !(1..=most).contains(&args.seq) {
        let expected = format!("expected 1 to {most}, the positions of the model");
        return Err(Failure::usage(format!("--seq {}: {expected}", args.seq)));
    }
    // Far more than any batch that helps, and few enough that all sizes can be counted.
    if !(1..=1 << 16).contains(&args.batch) {
        return Err(Failure::usage(format!("--batch {}: expected 1 to 65536", args.batch)));
    }
    Ok(())
}

struct Bench<'a> {
    context: Context<'a>,
    args: &'a BenchArgs,
    model: &'a Opened,
    batch: &'a Batch,
}

/// One precision, checked.
struct Checked {
    name: &'static str,
    encoder: Encoder,
    check: Check,
}

impl Bench<'_> {
    /// The encoders asked for; the one that is reported stands last.
    fn arms(&self) -> Result<Vec<Checked>, Failure> {
        let (fp32, int8) = (Precision::Fp32, Precision::Int8);
        Ok(match self.args.precision {
            PrecisionArg::Fp32 => vec![self.arm(fp32)?],
            PrecisionArg::Int8 => vec![self.arm(int8)?],
            PrecisionArg::Int8Static => {
                let ranges = self.ranges()?;
                vec![self.arm(Precision::Int8Static(&ranges))?]
            }
            PrecisionArg::Both => vec![self.arm(fp32)?, self.arm(int8)?],
        })
    }

    /// Found on other token numbers than are measured.
    fn ranges(&self) -> Result<Ranges, Failure> {
        let sizes = (self.args.batch, self.args.seq);
        let other = sequences(&self.model.config, sizes, self.context.seed.wrapping_add(1));
        let encoder = self.model.encoder(self.context, Precision::Fp32)?;
        let team = self.context.setup.team();
        let ranges = encoder.calibrate([&other], &mut Room::default(), team);
        ranges.map_err(|error| self.model.failure(error))
    }

    fn arm(&self, precision: Precision<'_>) -> Result<Checked, Failure> {
        let encoder = self.model.encoder(self.context, precision)?;
        let team = self.context.setup.team();
        let check = sample::check(self.model, (&encoder, precision), self.batch, team)?;
        let name = precision.name();
        Ok(Checked { name, encoder, check: sample::passed(name, check)? })
    }

    /// One copy, timed round by round with the others.
    fn alone(&self, arms: &[Checked]) -> Result<(), Failure> {
        let team = self.context.setup.team();
        let mut rooms: Vec<Room> = arms.iter().map(|_| Room::default()).collect();
        let measured: Vec<Arm<'_>> = arms
            .iter()
            .zip(&mut rooms)
            .map(|(arm, room)| {
                Arm::new(arm.name, move || {
                    arm.encoder.encode(self.batch, room, team).expect("it was possible before");
                })
            })
            .collect();
        let session = Stopwatch::within(BUDGET).measure(measured).map_err(Failure::failed)?;
        let last = arms.last().expect("at least one precision");
        let time = session.time(last.name).map_err(Failure::failed)?;
        let mut line = self.line(last, &time, team.size());
        let sequences = self.args.batch as f64;
        line.insert("rate".into(), json!(sequences / time.median));
        let operations = operations(rooms.last().expect("one an arm").times());
        line.insert("operations".into(), operations);
        line.insert("instances".into(), json!(1));
        if let [fp32, int8] = arms {
            line.insert("fp32".into(), both(&session, fp32.name, int8.name)?);
        }
        print(line, &time, self.context.json)
    }

    /// Copies beside each other.
    fn instances(&self, arms: &[Checked], cores: &[Vec<usize>]) -> Result<(), Failure> {
        let last = arms.last().expect("at least one precision");
        let combined = instances::run(&last.encoder, self.batch, cores)?;
        let time =
            Estimate::of(&combined.latencies, CONFIDENCE).expect("copies make enough passes");
        let mut line = self.line(last, &time, cores[0].len());
        let sequences = self.args.batch as f64;
        line.insert("rate".into(), json!(sequences * combined.passes_per_s));
        line.insert("instances".into(), json!(cores.len()));
        line.insert("threads".into(), json!(cores.iter().map(Vec::len).sum::<usize>()));
        line.insert("cores_per_instance".into(), json!(cores[0].len()));
        line.insert("latency_s".into(), percentiles(&combined.latencies));
        print(line, &time, self.context.json)
    }

    /// What every result has. `threads` are those of a copy.
    fn line(&self, arm: &Checked, time: &Estimate, threads: usize) -> Map<String, Value> {
        let setting = self.context.setup.setting();
        let mut shape = shape(&self.model.config, self.args.batch);
        shape["seq"] = json!(self.args.seq);
        let recipes = arm.encoder.recipes(self.batch, threads).into_iter();
        let recipes =
            recipes.map(|(operation, recipe)| (operation.name().to_owned(), json!(recipe)));
        let Value::Object(line) = json!({
            "schema": 1,
            "kernel": "bert bench",
            "model": self.model.name,
            "shape": shape,
            "dtype": arm.name,
            "isa": setting.isa,
            "threads": setting.threads,
            "threads_allowed": setting.threads,
            "recipe": Value::Object(recipes.collect()),
            "recipe_source": "estimated",
            "wisdom_verdict": null,
            "median_s": time.median,
            "lo_s": time.lo,
            "hi_s": time.hi,
            "rounds": time.rounds,
            "rate_unit": "seq/s",
            "cache": "hot",
            "timed": "token numbers in, hidden states of the last layer out; packing of weights excluded",
            "check": sample::json(&arm.check),
            "checked": arm.check.passed(),
        }) else {
            unreachable!("an object was written")
        };
        line
    }
}

/// What is run: a model's sizes, and sequences of a batch.
pub(super) fn shape(config: &Config, batch: usize) -> Value {
    json!({
        "layers": config.layers, "hidden": config.hidden, "heads": config.heads,
        "intermediate": config.intermediate, "batch": batch,
    })
}

/// The other precision's time, and how many times as fast this one is, round by round.
fn both(session: &Session, fp32: &str, int8: &str) -> Result<Value, Failure> {
    let time = session.time(fp32).map_err(Failure::failed)?;
    let ratio = session.ratio(int8, fp32).map_err(Failure::failed)?;
    Ok(json!({
        "median_s": time.median, "lo_s": time.lo, "hi_s": time.hi,
        "int8_over_fp32": { "median": ratio.median, "lo": ratio.lo, "hi": ratio.hi },
    }))
}

/// The share of each kind of operation in the time of all passes.
pub(super) fn operations(times: &Times) -> Value {
    let total = times.total().as_secs_f64();
    let shares = Operation::ALL.iter().map(|&operation| {
        let share = times.of(operation).as_secs_f64() / total;
        (operation.name().to_owned(), json!(share))
    });
    Value::Object(shares.collect())
}

/// Middle and upper end of sorted latencies.
pub(super) fn percentiles(sorted: &[f64]) -> Value {
    // The nearest rank: the least latency that so many are not above.
    let at = |share: f64| {
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.clamp(1, sorted.len().max(1)) - 1).copied()
    };
    json!({ "p50": at(0.5), "p90": at(0.9), "p99": at(0.99) })
}

fn print(line: Map<String, Value>, time: &Estimate, json: bool) -> Result<(), Failure> {
    let value = Value::Object(line);
    if json {
        return output::print(value);
    }
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_row(["time of a batch".into(), time_with_interval(time)]);
    let rate = value["rate"].as_f64().unwrap_or(f64::NAN);
    table.add_row(["rate".into(), format!("{} seq/s", digits(rate))]);
    for (name, value) in flatten("", &value) {
        let shown = ["schema", "median_s", "lo_s", "hi_s", "rate", "rate_unit"];
        // Recipes of four products would be longer than all the rest.
        if !shown.contains(&name.as_str()) && !name.starts_with("recipe.") {
            table.add_row([name, value]);
        }
    }
    output::print(table.trim_fmt())
}

#[cfg(test)]
mod tests {
    use super::percentiles;
    use serde_json::json;

    #[test]
    fn percentiles_are_latencies_of_the_nearest_rank() {
        let hundred: Vec<f64> = (1..=100u8).map(f64::from).collect();
        assert_eq!(percentiles(&hundred), json!({ "p50": 50.0, "p90": 90.0, "p99": 99.0 }));
        assert_eq!(percentiles(&[1.0, 2.0, 3.0]), json!({ "p50": 2.0, "p90": 3.0, "p99": 3.0 }));
        assert_eq!(percentiles(&[7.0]), json!({ "p50": 7.0, "p90": 7.0, "p99": 7.0 }));
        assert_eq!(percentiles(&[]), json!({ "p50": null, "p90": null, "p99": null }));
    }
}
