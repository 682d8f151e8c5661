//! What a search explored, as one page: how the best was approached, and for every knob how fast
//! candidates with each of its values were.

use super::svg::{Anchor, Log, Svg, escape, tick_label};
use serde_json::Value;
use std::collections::BTreeMap;
use tilewise_tuner::search::{Found, Timed};

const SIZE: (f64, f64) = (360.0, 220.0);
/// Room for the scale on the left and the names below.
const MARGIN: (f64, f64) = (44.0, 40.0);
/// Candidates slower than this share of the default's speed are drawn there: to show by how much would
/// leave no room for the per cents by which the others differ.
const SLOW: f64 = 0.7;
/// More values than this have no names below each.
const NAMED: usize = 8;

const STYLE: &str = "body{font:15px system-ui,sans-serif;margin:2em auto;max-width:76em;padding:0 1em;\
color:#222;background:#fff}section div{display:flex;flex-wrap:wrap;gap:1em}svg{width:23em;max-width:100%}\
svg text{font-size:11px;fill:#444}.grid{stroke:#ddd}.one{stroke:#999;stroke-dasharray:4 3}\
.point{fill:#2a6fbb;fill-opacity:.45}.best{fill:#c2410c}.front{fill:none;stroke:#c2410c;stroke-width:1.5}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}svg text{fill:#bbb}.grid{stroke:#333}}";

/// Draws searches, one section each. The page fetches nothing and has no scripts.
pub fn page(explored: &[Found]) -> String {
    let mut body = String::new();
    for found in explored {
        let record = &found.record;
        let title = format!("{}, {}, {}", record.kernel, record.shape, record.dtype);
        let evidence = &record.evidence;
        let text = format!(
            "At most {} thread(s), {}. {} of {} candidates timed; {}. Against the default, timed afresh: {}.",
            record.context.threads,
            record.identity.isa,
            evidence.tried,
            evidence.candidates,
            found.stopped,
            evidence.summary()
        );
        body += &format!("<section><h2>{}</h2><p>{}</p><div>", escape(&title), escape(&text));
        body += &approach(found);
        for (name, values) in knobs(&found.ranking) {
            body += &strip(found, &name, &values);
        }
        body += "</div></section>\n";
    }
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Explored by tilewise</title>\
         <meta name=\"viewport\" content=\"width=device-width\"><style>{STYLE}</style>\
         <h1>What was explored</h1><p>Each dot is a candidate: how many times as fast as the default \
         it looked when it was last timed, the dashed line the default, the dot of another colour what was \
         stored, the line the fastest so far. Those at 0.7 may be slower still. A knob \
         of several parts names each by its first letter. Point at a dot for its recipe.</p>{body}</html>\n"
    )
}

/// Knobs that were turned, each with its values, numbers in their order.
fn knobs(ranking: &[Timed]) -> Vec<(String, Vec<Value>)> {
    let mut knobs = BTreeMap::<String, Vec<Value>>::new();
    for timed in ranking {
        for (name, value) in timed.fields.as_object().into_iter().flatten() {
            let values = knobs.entry(name.clone()).or_default();
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
    }
    let mut knobs: Vec<_> = knobs.into_iter().filter(|(_, values)| values.len() > 1).collect();
    for (_, values) in &mut knobs {
        let size = |value: &Value| value.as_f64().unwrap_or(0.0);
        values.sort_by(|a, b| {
            size(a).total_cmp(&size(b)).then_with(|| a.to_string().cmp(&b.to_string()))
        });
    }
    knobs
}

/// A panel with the scale of ratios, and where 1 is.
fn panel(ranking: &[Timed], name: &str) -> (Svg, Log) {
    let (width, height) = SIZE;
    let mut svg = Svg::new(width, height);
    let ratios = ranking.iter().map(|timed| timed.ratio.max(SLOW));
    let scale = Log::covering(ratios, (height - MARGIN.1, 20.0));
    for tick in scale.ticks() {
        let y = scale.at(tick);
        svg.line("grid", (MARGIN.0, y), (width, y));
        svg.text("tick", (MARGIN.0 - 5.0, y + 4.0), Anchor::End, &tick_label(tick));
    }
    svg.line("one", (MARGIN.0, scale.at(1.0)), (width, scale.at(1.0)));
    svg.text("name", (MARGIN.0, 12.0), Anchor::Start, name);
    (svg, scale)
}

/// The class of what is stored, which stands out.
const BEST: &str = "best";

fn class(found: &Found, timed: &Timed) -> &'static str {
    if timed.fields == found.record.recipe { BEST } else { "point" }
}

fn tip(timed: &Timed) -> String {
    format!("{:.3}x: {}", timed.ratio, timed.recipe)
}

/// Candidates in the order of trying, and the best so far.
fn approach(found: &Found) -> String {
    let ranking = &found.ranking;
    let (mut svg, scale) = panel(ranking, "candidates as they were tried");
    let mut order: Vec<&Timed> = ranking.iter().collect();
    order.sort_by_key(|timed| timed.turn);
    let step = (SIZE.0 - MARGIN.0 - 10.0) / order.len().max(1) as f64;
    let (mut front, mut dots) = (Vec::new(), Vec::new());
    let mut best = 0.0f64;
    for (index, timed) in order.iter().enumerate() {
        let x = MARGIN.0 + 5.0 + step * (index as f64 + 0.5);
        best = best.max(timed.ratio);
        front.push((x, scale.at(best)));
        dots.push((class(found, timed), (x, scale.at(timed.ratio.max(SLOW))), tip(timed)));
    }
    draw(&mut svg, dots);
    svg.polyline("front", &front);
    svg.text("name", (SIZE.0, SIZE.1 - 20.0), Anchor::End, &format!("{} tried", order.len()));
    svg.finish("The ratio to the default of every candidate, in the order they were tried")
}

/// Draws dots, what is stored last, so that none lies on it.
fn draw(svg: &mut Svg, mut dots: Vec<(&str, (f64, f64), String)>) {
    dots.sort_by_key(|(class, ..)| *class == BEST);
    for (class, at, tip) in dots {
        svg.dot(class, at, 3.0, &tip);
    }
}

/// Candidates by the value of a knob.
fn strip(found: &Found, name: &str, values: &[Value]) -> String {
    let ranking = &found.ranking;
    let (mut svg, scale) = panel(ranking, name);
    let step = (SIZE.0 - MARGIN.0 - 10.0) / values.len() as f64;
    let at = |value: &Value| {
        let index = values.iter().position(|known| known == value).unwrap_or(0);
        MARGIN.0 + 5.0 + step * (index as f64 + 0.5)
    };
    let mut dots = Vec::new();
    for timed in ranking.iter().rev() {
        // Side by side rather than on top of each other.
        let aside = ((timed.turn % 9) as f64 - 4.0) / 10.0 * step.min(30.0);
        let x = at(&timed.fields[name]) + aside;
        dots.push((class(found, timed), (x, scale.at(timed.ratio.max(SLOW))), tip(timed)));
    }
    draw(&mut svg, dots);
    for (index, value) in values.iter().enumerate() {
        if values.len() <= NAMED || index == 0 || index + 1 == values.len() {
            // Every second one lower, so that long names have room.
            let y = SIZE.1 - 24.0 + 14.0 * (index % 2) as f64;
            svg.text("tick", (at(value), y), Anchor::Middle, &short(value));
        }
    }
    svg.finish(&format!("The ratio to the default of every candidate, by {name}"))
}

/// A value in few characters: of a compound its parts, each behind the first letter of its name.
fn short(value: &Value) -> String {
    let part = |(name, value): (&String, &Value)| {
        format!("{}{}", name.chars().next().unwrap_or_default(), short(value))
    };
    match value {
        Value::Object(parts) => parts.iter().map(part).collect::<Vec<_>>().join(" "),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tilewise::gemm::Shape;
    use tilewise_tuner::machine::Machine;
    use tilewise_tuner::problem::Setting;
    use tilewise_tuner::search::Search;

    #[test]
    fn the_page_shows_every_candidate_and_fetches_nothing() {
        let machine = Machine::read();
        let shape = Shape { m: 48, n: 64, k: 64 };
        let search = Search::within(Duration::from_millis(200));
        let found = search.tune(&shape, &Setting::best(&machine)).expect("a result");
        let page = page(std::slice::from_ref(&found));
        assert!(!page.contains("http") && !page.contains("<script"));
        assert_eq!(page.matches("<svg").count(), 1 + knobs(&found.ranking).len());
        let dots = page.matches("<circle").count();
        assert_eq!(dots, found.ranking.len() * page.matches("<svg").count());
        assert!(page.contains("candidates timed"));
    }
}
