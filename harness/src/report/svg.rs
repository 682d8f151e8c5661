//! A drawing as SVG text, and the scales that place things on it.
//!
//! Colours are left to style sheet classes, so that one drawing serves light pages, dark pages
//! and paper.

use std::fmt::Write;

/// A drawing under construction.
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

/// Where a text hangs on its point.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Svg {
        Svg { width, height, body: String::new() }
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        self.push(format_args!(
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        ));
    }

    /// Joined lines.
    pub(super) fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        let points: Vec<_> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let points = points.join(" ");
        self.push(format_args!(r#"<polyline class="{class}" points="{points}"/>"#));
    }

    /// A rectangle between two x and below a y, with a tooltip.
    pub(super) fn bar(&mut self, class: &str, x: (f64, f64), y: (f64, f64), tip: &str) {
        let (left, width) = (x.0.min(x.1), (x.1 - x.0).abs().max(1.0));
        let (top, height) = (y.0, y.1 - y.0);
        let tip = escape(tip);
        self.push(format_args!(
            r#"<rect class="{class}" x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" rx="2"><title>{tip}</title></rect>"#
        ));
    }

    /// A dot with a tooltip.
    pub(super) fn dot(&mut self, class: &str, (x, y): (f64, f64), radius: f64, tip: &str) {
        let tip = escape(tip);
        self.push(format_args!(
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"><title>{tip}</title></circle>"#
        ));
    }

    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.push(format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{text}</text>"#
        ));
    }

    /// A text along a line that rises to the right by `degrees`, its middle at a point.
    pub(super) fn slanted(&mut self, class: &str, (x, y): (f64, f64), degrees: f64, text: &str) {
        let text = escape(text);
        self.push(format_args!(
            r#"<text class="{class}" transform="translate({x:.1} {y:.1}) rotate({:.1})" text-anchor="middle" dy="3.5">{text}</text>"#,
            -degrees
        ));
    }

    /// A horizontal interval with end marks.
    pub(super) fn whisker_across(&mut self, (lo, hi): (f64, f64), y: f64, half: f64) {
        self.line("whisker", (lo, y), (hi, y));
        self.line("whisker", (lo, y - half), (lo, y + half));
        self.line("whisker", (hi, y - half), (hi, y + half));
    }

    /// A vertical interval with end marks.
    pub(super) fn whisker_up(&mut self, x: f64, (lo, hi): (f64, f64), half: f64) {
        self.line("whisker", (x, lo), (x, hi));
        self.line("whisker", (x - half, lo), (x + half, lo));
        self.line("whisker", (x - half, hi), (x + half, hi));
    }

    /// The drawing, with what it shows in words for those who cannot see it.
    pub(super) fn finish(self, label: &str) -> String {
        let Svg { width, height, body } = self;
        let label = escape(label);
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\" aria-label=\"{label}\">\n\
             {body}</svg>"
        )
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        writeln!(self.body, "{element}").expect("writing to a string cannot fail");
    }
}

/// Makes text safe between tags and in quotes.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A logarithmic axis: equal factors are equal lengths.
#[derive(Clone, Copy)]
pub(super) struct Log {
    values: (f64, f64),
    pixels: (f64, f64),
}

impl Log {
    /// Covers all `values` with a little room; `pixels` are those of the ends.
    pub(super) fn covering(values: impl IntoIterator<Item = f64>, pixels: (f64, f64)) -> Log {
        let positive = values.into_iter().filter(|value| *value > 0.0 && value.is_finite());
        let (lo, hi) = positive.fold((f64::MAX, 0.0f64), |(lo, hi), v| (lo.min(v), hi.max(v)));
        let (lo, hi) = if hi > 0.0 { (lo, hi) } else { (1.0, 10.0) };
        Log { values: (lo / 1.25, hi * 1.25), pixels }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        let ((from, to), (start, end)) = (self.values, self.pixels);
        let share = (value.max(f64::MIN_POSITIVE) / from).ln() / (to / from).ln();
        start + share.clamp(-0.02, 1.02) * (end - start)
    }

    pub(super) fn ends(&self) -> (f64, f64) {
        self.values
    }

    /// Powers of ten, with their halves and fifths between where there is room.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let (from, to) = self.values;
        let decades = (to / from).log10();
        let steps: &[f64] = match decades {
            d if d < 1.6 => &[1.0, 2.0, 3.0, 5.0],
            d if d < 3.2 => &[1.0, 2.0, 5.0],
            _ => &[1.0],
        };
        let first = from.log10().floor() as i32;
        let last = to.log10().ceil() as i32;
        let all =
            (first..=last).flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)));
        all.filter(|tick| (from..=to).contains(tick)).collect()
    }
}

/// A tick's value without needless zeros.
pub(super) fn tick_label(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_factors_are_equal_lengths() {
        let axis = Log::covering([1.0, 1000.0], (0.0, 300.0));
        let step = axis.at(10.0) - axis.at(1.0);
        assert!((axis.at(1000.0) - axis.at(100.0) - step).abs() < 1e-9);
        assert!(axis.ticks().contains(&10.0));
    }

    #[test]
    fn text_cannot_break_out() {
        let mut svg = Svg::new(10.0, 10.0);
        svg.text("a", (0.0, 0.0), Anchor::Start, "<script>&\"");
        assert!(svg.finish("x").contains("&lt;script&gt;&amp;&quot;"));
    }
}
