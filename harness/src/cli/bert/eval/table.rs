//! What an evaluation prints: one object of JSON, or tables for people.

use super::super::args::OrderArg;
use super::super::args::TaskArg;
use super::super::bench::{operations, percentiles, shape};
use super::super::sample;
use super::{Judged, Report};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Map, Value, json};
use tilewise_harness::bert::Count;
use tilewise_harness::bert::squad::Windowing;
use tilewise_harness::report::digits;
use tilewise_tuner::measure::Estimate;

/// What is inside the clocks.
const TIMED: &str = "median_s, latency_s, encode_s and rate: token numbers in, sentences or scores of \
                     answers out, batch by batch; duration_s: that, tokenising and judging; packing of \
                     weights excluded";

/// What stands where a number would if there were one.
const UNDEFINED: &str = "undefined";

impl Report<'_> {
    /// The result of the last precision; with two, that of the first beside it.
    pub(super) fn json(&self) -> Value {
        let Value::Object(mut line) = json!({
            "schema": 1,
            "kernel": "bert eval",
            "model": self.args.model.display().to_string(),
            "task": self.task(),
            "data": self.args.data.display().to_string(),
            "isa": self.isa,
            "threads": self.threads,
            "batch": self.args.batch,
            "order": match self.args.order {
                OrderArg::Sorted => "sorted",
                OrderArg::Arrival => "arrival",
            },
            "sequences": self.ran.lengths.len(),
            "tokens": self.ran.lengths.iter().sum::<usize>(),
            "truncated": self.ran.truncated,
            "dropped": self.ran.dropped,
            "planned": self.prepared.count(),
            "partial": self.partial,
            "operation_counts": self.counts(),
        }) else {
            unreachable!("an object was written")
        };
        line.extend(self.measurement());
        if self.partial {
            line.insert("judged".into(), json!(self.which()));
        }
        if let Some(Windowing { window, stride, .. }) = self.prepared.windowing() {
            line.insert("window".into(), json!(window));
            line.insert("stride".into(), json!(format!("windows {stride}")));
        }
        if let Some(on) = &self.calibrated_on {
            line.insert("calibrated_on".into(), json!(on));
        }
        if let Some(last) = self.results.last() {
            line.extend(last.json());
        }
        if let [fp32, int8] = &self.results[..] {
            line.insert("fp32".into(), Value::Object(fp32.json()));
            line.insert("relative_change".into(), json!(change(fp32, int8)));
            line.insert("speed_ratio".into(), json!(ratio(fp32, int8)));
            let by_batch = self
                .by_batch
                .as_ref()
                .map(|ratio| json!({ "median": ratio.median, "lo": ratio.lo, "hi": ratio.hi }));
            line.insert("speed_ratio_by_batch".into(), json!(by_batch));
        }
        Value::Object(line)
    }

    /// What every measurement has, as far as a single pass has it: batches differ, so there is no recipe
    /// that all of them follow, and no interval of a time that was taken once.
    fn measurement(&self) -> Map<String, Value> {
        let Value::Object(fields) = json!({
            "shape": shape(self.config, self.args.batch),
            "threads_allowed": self.threads,
            "recipe": null,
            "recipe_source": "estimated",
            "wisdom_verdict": null,
            "lo_s": null,
            "hi_s": null,
            "rounds": 1,
            "rate_unit": "seq/s",
            "timed": TIMED,
            "check": sample::json(&self.check),
            "checked": self.check.passed(),
        }) else {
            unreachable!("an object was written")
        };
        fields
    }

    /// Precisions side by side, then the breakdown of operations.
    pub(super) fn text(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        let row = |name: &str, value: &dyn Fn(&Judged) -> String| {
            let values = self.results.iter().map(value);
            std::iter::once(name.to_owned()).chain(values).collect::<Vec<_>>()
        };
        let done = if self.partial { "partial result" } else { self.task() };
        table.add_row(row(done, &|judged| judged.name.into()));
        for index in 0..2 {
            let name = self.results[0].judgement.metrics[index].0.replace('_', " ");
            table.add_row(row(&name, &|judged| {
                // Of one pair, say, there is no correlation.
                let value = Some(judged.judgement.metrics[index].1).filter(|value| !value.is_nan());
                value.map_or(UNDEFINED.into(), |value| format!("{value:.4}"))
            }));
        }
        if let [fp32, int8] = &self.results[..] {
            let change = change(fp32, int8);
            let change = change.map_or(UNDEFINED.into(), |c| format!("{:+.3} %", 100.0 * c));
            table.add_row(["relative change".into(), String::new(), change]);
            table.add_row(["times as fast".into(), String::new(), self.speed(fp32, int8)]);
        }
        if let Some(Windowing { window, stride, .. }) = self.prepared.windowing() {
            // Once, and under what is as long.
            let blank = vec![String::new(); self.results.len() - 1];
            let windows = format!("of {window} tokens that {stride}");
            table.add_row(std::iter::once("windows".to_owned()).chain(blank).chain([windows]));
        }
        let what = if self.args.task == TaskArg::Sts { "pairs" } else { "questions" };
        table.add_row(row(what, &|judged| self.judged(judged)));
        table.add_row(row("encoding", &|judged| {
            format!("{} s", digits(judged.running.as_secs_f64()))
        }));
        table.add_row(row("duration", &|judged| {
            format!("{} s", digits(judged.whole.as_secs_f64()))
        }));
        table.add_row(row(&format!("{what} a second"), &|judged| {
            judged.rate().map_or(UNDEFINED.into(), digits)
        }));
        for percentile in ["p50", "p90", "p99"] {
            table.add_row(row(&format!("batch latency {percentile}"), &|judged| {
                let latency = percentiles(&judged.latencies)[percentile].as_f64();
                latency.map_or(UNDEFINED.into(), |s| format!("{} ms", digits(1e3 * s)))
            }));
        }
        format!("{}\n\n{}", table.trim_fmt(), self.breakdown())
    }

    fn task(&self) -> &'static str {
        match self.args.task {
            TaskArg::Sts => "sts",
            TaskArg::Squad => "squad",
        }
    }

    /// How many were judged; of a partial result, of how many and which.
    fn judged(&self, judged: &Judged) -> String {
        let (count, planned) = (judged.judgement.count, self.prepared.count());
        match self.partial {
            false => count.to_string(),
            true => format!("{} {count} of {planned}", self.which()),
        }
    }

    /// Which of them a partial result is of.
    fn which(&self) -> &'static str {
        match self.args.order {
            OrderArg::Sorted => "the longest",
            OrderArg::Arrival => "the first",
        }
    }

    /// By the whole time, and by batches with an interval.
    fn speed(&self, fp32: &Judged, int8: &Judged) -> String {
        let Some(ratio) = ratio(fp32, int8) else { return UNDEFINED.into() };
        match &self.by_batch {
            Some(Estimate { median, lo, hi, .. }) => {
                format!("{ratio:.2}, batch by batch {median:.2} [{lo:.2}, {hi:.2}]")
            }
            None => format!("{ratio:.2}, of too few batches for an interval"),
        }
    }

    fn counts(&self) -> Value {
        let counts = self.counts.iter().map(|&Count { name, int8, fp32, sequences }| {
            let total = int8 + fp32;
            let count = json!({
                "total": total, "int8": int8, "fp32": fp32, "sequences": sequences,
            });
            (name.to_owned(), count)
        });
        Value::Object(counts.collect())
    }

    /// Operations a sequence passes, and how many sequences do.
    fn breakdown(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        let what = if self.args.task == TaskArg::Sts { "sentences" } else { "windows" };
        table.add_row(["operation type", "total", "INT8", "FP32", what]);
        for &Count { name, int8, fp32, sequences } in &self.counts {
            let numbers = [int8 + fp32, int8, fp32, sequences].map(|number| number.to_string());
            table.add_row(std::iter::once(name.to_owned()).chain(numbers));
        }
        table.trim_fmt()
    }
}

impl Judged {
    /// Pairs or questions in a second, tokenising and judging included; nothing if none was run.
    fn rate(&self) -> Option<f64> {
        (!self.running.is_zero()).then(|| self.judgement.count as f64 / self.whole.as_secs_f64())
    }

    /// Sentences or windows in a second of forward passes and heads; nothing if none was run.
    fn sequences_per_s(&self) -> Option<f64> {
        (!self.running.is_zero()).then(|| self.sequences as f64 / self.running.as_secs_f64())
    }

    fn json(&self) -> Map<String, Value> {
        let [(name, value), (second, other)] = self.judgement.metrics;
        // What cannot be computed, as a correlation of one pair, is no number.
        let Value::Object(line) = json!({
            "dtype": self.name,
            "metric_name": name,
            "metric": value,
            second: other,
            "count": self.judgement.count,
            "encode_s": self.running.as_secs_f64(),
            "duration_s": self.whole.as_secs_f64(),
            "rate": self.sequences_per_s(),
            "examples_per_s": self.rate(),
            "median_s": percentiles(&self.latencies)["p50"],
            "latency_s": percentiles(&self.latencies),
            "operations": operations(&self.times),
        }) else {
            unreachable!("an object was written")
        };
        line
    }
}

/// How much of the metric is lost or gained, as a share of the first; nothing where that is 0 or
/// cannot be computed.
fn change(first: &Judged, second: &Judged) -> Option<f64> {
    let change = second.judgement.metrics[0].1 / first.judgement.metrics[0].1 - 1.0;
    change.is_finite().then_some(change)
}

/// How many times as fast the second encodes; nothing if none was run.
fn ratio(first: &Judged, second: &Judged) -> Option<f64> {
    let ratio = first.running.as_secs_f64() / second.running.as_secs_f64();
    ratio.is_finite().then_some(ratio)
}
