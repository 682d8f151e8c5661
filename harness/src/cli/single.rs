//! What the commands that measure one thing share: check it, time it, print a line or a table.

use super::bound::Bounds;
use super::failure::Failure;
use super::output;
use super::setup::Setup;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Map, Value, json};
use std::time::Duration;
use tilewise_harness::report::{digits, flatten, time_with_interval};
use tilewise_harness::workload::{Candidate, Check, Task};
use tilewise_tuner::measure::{Arm, Estimate, Stopwatch};

/// Time for the rounds of a single measurement.
const BUDGET: Duration = Duration::from_secs(2);

/// The arm of a product in a layer.
const PRODUCT: &str = "product";

/// A result, with what a command has to add to it.
pub(super) struct Line {
    fields: Map<String, Value>,
}

/// What else goes on while a candidate is timed.
#[derive(Default)]
pub(super) struct Others<'a, 'b> {
    /// Runs ahead of every timed call, outside the clock.
    pub(super) before: Option<&'a dyn Fn()>,
    /// The product in a layer, which takes turns with the candidate.
    pub(super) product: Option<&'a mut Candidate<'b>>,
}

/// Checks a candidate and times it.
pub(super) fn measure(
    setup: &Setup,
    task: &Task,
    candidate: &mut Candidate<'_>,
) -> Result<Line, Failure> {
    let check = check(candidate)?;
    time(setup, task, (candidate, check), Others::default())
}

/// Refuses a candidate whose result is wrong.
pub(super) fn check(candidate: &mut Candidate<'_>) -> Result<Check, Failure> {
    let check = candidate.work.check();
    if check.passed() {
        return Ok(check);
    }
    Err(Failure::failed(format!(
        "{} gives a wrong result: largest error {:e}, allowed {:e}; no time is printed",
        candidate.title, check.max_error, check.tolerance
    )))
}

/// Times a candidate that was checked.
pub(super) fn time(
    setup: &Setup,
    task: &Task,
    (candidate, check): (&mut Candidate<'_>, Check),
    Others { before, product }: Others<'_, '_>,
) -> Result<Line, Failure> {
    let bounds = Bounds::new(setup, task, candidate)?;
    let beside = product.is_some();
    let mut arms = vec![timed(Arm::new("run", || candidate.work.run()), before)];
    if let Some(product) = product {
        arms.push(timed(Arm::new(PRODUCT, || product.work.run()), before));
    }
    arms.extend(bounds.arms());
    let session = Stopwatch::within(BUDGET).measure(arms).map_err(Failure::failed)?;
    let time = session.time("run").map_err(Failure::failed)?;
    let [roof, share] = bounds.share(&session, "run")?;
    let recipe = candidate.recipe.as_ref();
    let Value::Object(mut fields) = json!({
        "schema": 1,
        "kernel": task.kernel,
        "shape": task.shape,
        "dtype": task.dtype,
        "isa": candidate.isa,
        "threads": candidate.threads,
        "threads_allowed": setup.setting().threads,
        "recipe": recipe.map(|recipe| &recipe.value),
        "recipe_source": recipe.map(|recipe| recipe.source),
        "wisdom_verdict": recipe.and_then(|recipe| recipe.verdict),
        "median_s": time.median,
        "lo_s": time.lo,
        "hi_s": time.hi,
        "rounds": time.rounds,
        "rate": task.amount.work / time.median / 1e9,
        "rate_unit": task.amount.unit,
        "cache": task.cache,
        "timed": task.timed,
        "check": {
            "reference": check.reference,
            "compared": check.compared,
            "max_error": check.max_error,
            "output_digest": check.output_digest,
        },
        "checked": check.passed(),
    }) else {
        unreachable!("an object was written")
    };
    if !roof.is_null() {
        fields.insert("roof".into(), roof);
        fields.insert("share_of_roof".into(), share);
    }
    if beside {
        let time = session.time(PRODUCT).map_err(Failure::failed)?;
        let over = session.ratio(PRODUCT, "run").map_err(Failure::failed)?;
        fields.insert("product_median_s".into(), time.median.into());
        let over = json!({ "median": over.median, "lo": over.lo, "hi": over.hi });
        fields.insert("over_product".into(), over);
    }
    Ok(Line { fields })
}

/// An arm, with what runs ahead of it.
fn timed<'a>(arm: Arm<'a>, before: Option<&'a dyn Fn()>) -> Arm<'a> {
    match before {
        Some(before) => arm.before(before),
        None => arm,
    }
}

impl Line {
    /// Median seconds of a call.
    pub(super) fn median(&self) -> f64 {
        self.fields["median_s"].as_f64().expect("a line is made with it")
    }

    /// Adds a result of the computation itself.
    pub(super) fn add(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.into(), value.into());
    }

    /// Prints it: one line of JSON, or a table.
    pub(super) fn print(self, json: bool) -> Result<(), Failure> {
        let value = Value::Object(self.fields);
        if json {
            return output::print(value);
        }
        let number = |name: &str| value[name].as_f64().unwrap_or(f64::NAN);
        let time = Estimate {
            median: number("median_s"),
            lo: number("lo_s"),
            hi: number("hi_s"),
            rounds: value["rounds"].as_u64().unwrap_or(0) as usize,
        };
        let mut table = Table::new();
        table.load_style(NOTHING);
        let unit = value["rate_unit"].as_str().unwrap_or_default();
        let rate = format!("{} {unit}", digits(number("rate")));
        table.add_row(["time".into(), time_with_interval(&time)]);
        table.add_row(["rate".into(), rate]);
        for (name, value) in flatten("", &value) {
            let shown = ["schema", "median_s", "lo_s", "hi_s", "rate", "rate_unit"];
            if !shown.contains(&name.as_str()) {
                table.add_row([name, value]);
            }
        }
        output::print(table.trim_fmt())
    }
}
