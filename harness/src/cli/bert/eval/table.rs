//! What an evaluation prints: one object of JSON, or tables for people.

use super::super::args::OrderArg;
use super::super::args::TaskArg;
use super::super::bench::{operations, percentiles};
use super::{Judged, Report};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::{Map, Value, json};
use tilewise_harness::bert::squad::Stride;
use tilewise_harness::report::digits;

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
            "sequences": self.prepared.sequences(),
            "tokens": self.prepared.tokens(),
            "truncated": self.prepared.truncated,
            "partial": self.partial,
            "operation_counts": self.counts(),
        }) else {
            unreachable!("an object was written")
        };
        if self.args.task == TaskArg::Squad {
            line.insert("stride".into(), json!(stride(self.args.windows.stride)));
        }
        if let Some(last) = self.results.last() {
            line.extend(last.json());
        }
        if let [fp32, int8] = &self.results[..] {
            line.insert("fp32".into(), Value::Object(fp32.json()));
            line.insert("relative_change".into(), json!(change(fp32, int8)));
            line.insert("speed_ratio".into(), json!(ratio(fp32, int8)));
        }
        Value::Object(line)
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
            table
                .add_row(row(&name, &|judged| format!("{:.4}", judged.judgement.metrics[index].1)));
        }
        if let [fp32, int8] = &self.results[..] {
            let change = format!("{:+.3} %", 100.0 * change(fp32, int8));
            table.add_row(["relative change".into(), String::new(), change]);
            let ratio = format!("{:.2}", ratio(fp32, int8));
            table.add_row(["times as fast".into(), String::new(), ratio]);
        }
        let what = if self.args.task == TaskArg::Sts { "pairs" } else { "questions" };
        table.add_row(row(what, &|judged| judged.judgement.count.to_string()));
        table.add_row(row("encoding", &|judged| {
            format!("{} s", digits(judged.running.as_secs_f64()))
        }));
        table.add_row(row("duration", &|judged| {
            format!("{} s", digits(judged.whole.as_secs_f64()))
        }));
        table.add_row(row(&format!("{what} a second"), &|judged| digits(judged.rate())));
        for percentile in ["p50", "p90", "p99"] {
            table.add_row(row(&format!("batch latency {percentile}"), &|judged| {
                let latency = percentiles(&judged.latencies)[percentile].as_f64();
                format!("{} ms", digits(1e3 * latency.unwrap_or(f64::NAN)))
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

    /// How many operations of each type a forward pass has: in all, in INT8, in FP32.
    fn operations(&self) -> Vec<(&'static str, usize, usize)> {
        let bytes = self.results.iter().any(|judged| judged.name != "fp32");
        let layers = self.config.layers;
        vec![
            ("linear", 4 * layers, if bytes { 4 * layers } else { 0 }),
            ("attention product", 2 * layers, 0),
            ("softmax", layers, 0),
            ("layer norm", 2 * layers + 1, 0),
            ("activation", layers, 0),
            ("embedding", 3, 0),
        ]
    }

    fn counts(&self) -> Value {
        let counts = self.operations().into_iter().map(|(name, total, int8)| {
            (name.to_owned(), json!({ "total": total, "int8": int8, "fp32": total - int8 }))
        });
        Value::Object(counts.collect())
    }

    fn breakdown(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.add_row(["operation type", "total", "INT8", "FP32"]);
        for (name, total, int8) in self.operations() {
            let numbers = [total, int8, total - int8].map(|number| number.to_string());
            table.add_row(std::iter::once(name.to_owned()).chain(numbers));
        }
        table.trim_fmt()
    }
}

impl Judged {
    /// Pairs or questions in a second, tokenising and judging included.
    fn rate(&self) -> f64 {
        self.judgement.count as f64 / self.whole.as_secs_f64()
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

/// How much of the metric is lost or gained, as a share of the first.
fn change(first: &Judged, second: &Judged) -> f64 {
    second.judgement.metrics[0].1 / first.judgement.metrics[0].1 - 1.0
}

/// How many times as fast the second encodes.
fn ratio(first: &Judged, second: &Judged) -> f64 {
    first.running.as_secs_f64() / second.running.as_secs_f64()
}

fn stride(stride: Stride) -> String {
    match stride {
        Stride::Overlap(tokens) => format!("windows overlap by {tokens} tokens"),
        Stride::Step(tokens) => format!("windows begin every {tokens} tokens"),
    }
}
